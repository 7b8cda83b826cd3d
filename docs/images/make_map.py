"""Make the picture of the README from the figures of the demo: python docs/images/make_map.py runs/demo"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

HEIGHT = 560  # pixels


def main(run: Path) -> None:
    """Prototypes and majority labels side by side, as `docs/images/map.png`."""
    pictures = [
        Image.open(run / "figures" / f"{name}.png").convert("RGB") for name in ("prototypes", "class_map")
    ]
    pictures = [picture.resize((picture.width * HEIGHT // picture.height, HEIGHT)) for picture in pictures]
    joined = Image.new("RGB", (sum(picture.width for picture in pictures) + 20, HEIGHT), "white")
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        left += picture.width + 20
    joined.quantize(256).save(Path(__file__).with_name("map.png"), optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
