"""Names and notes that a person gives to units, in a JSON file beside the run: runs/x -> runs/x.notes.json."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from somscope.atomic import whole_file
from somscope.errors import InputError, RunError
from somscope.runs.jsonfile import read_object

__all__ = ["LONGEST_NAME", "LONGEST_NOTE", "Notes"]

LONGEST_NAME, LONGEST_NOTE = 80, 4000  # characters


class Notes:
    """The notes of a run; every change is on the disk before it is acknowledged.

    run: the folder of the run. n_units: of its map. created: when it was made: notes of another run that lay in the
    same folder are set aside, with their date in the file's name. part: which map of several, "" for the first: each
    has a file of its own. Raises RunError for a file that is not one of notes.
    """

    def __init__(self, run: Path, n_units: int, created: str, part: str = "") -> None:
        run = run.resolve()
        own = f"{run.name}.{part}" if part else run.name
        self.file, self.n_units, self.created = run.with_name(f"{own}.notes.json"), n_units, created
        self._lock = threading.Lock()
        self._units = self._read() if self.file.is_file() else {}

    def _read(self) -> dict[int, dict[str, str]]:
        written = read_object(self.file)
        units, created = written.get("units"), written.get("run_created")
        if isinstance(created, str) and created != self.created:
            date = "".join(char for char in created if char.isalnum())[:20]
            self.file.rename(self.file.with_suffix(f".{date}.json"))
            return {}
        if not isinstance(units, dict):
            raise RunError(f"{self.file} holds no notes: it lacks the object units")
        read = {}
        for key, entry in units.items():
            known = key.isdecimal() and int(key) < self.n_units and isinstance(entry, dict)
            if not known or not all(isinstance(entry.get(part), str) for part in ("name", "note")):
                raise RunError(f"{self.file}: {key!r} is not a unit of this map with a name and a note")
            read[int(key)] = {"name": entry["name"], "note": entry["note"]}
        return read

    def all(self) -> dict[str, dict[str, str]]:
        """unit -> {"name", "note"}, of the units that have one."""
        return {str(unit): dict(entry) for unit, entry in sorted(self._units.items())}

    def set(self, unit: int, name: str, note: str) -> None:
        """Name and describe a unit; two empty texts remove its entry.

        Raises InputError for a unit that the map does not have and for texts that are too long, RunError where the file
        cannot be written.
        """
        if not 0 <= unit < self.n_units:
            raise InputError(f"unit {unit} is not on this map; allowed: 0..{self.n_units - 1}")
        name, note = " ".join(name.split()), note.strip()
        if len(name) > LONGEST_NAME or len(note) > LONGEST_NOTE:
            raise InputError(
                f"a name may have {LONGEST_NAME} characters, a note {LONGEST_NOTE:,}; these have {len(name)} and "
                f"{len(note):,}"
            )
        with self._lock:
            units = {key: entry for key, entry in self._units.items() if key != unit}
            if name or note:
                units[unit] = {"name": name, "note": note}
            listed = {str(key): units[key] for key in sorted(units)}
            written = {"format": 1, "run_created": self.created, "units": listed}
            try:
                with whole_file(self.file) as partial:
                    partial.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")
            except (OSError, UnicodeEncodeError) as error:
                raise RunError(f"{self.file} cannot be written: {error}") from error
            self._units = units
