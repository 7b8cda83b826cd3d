// The page in a frame. What it asks for is passed on to the kernel, and the answer back: no port and no network.
function render({ model, el }) {
  const own = Math.random().toString(36).slice(2); // one widget may be shown several times
  const frame = document.createElement("iframe");
  const address = URL.createObjectURL(new Blob([model.get("page")], { type: "text/html" }));
  frame.src = address;
  frame.title = "somscope";
  frame.allow = "clipboard-read; clipboard-write";
  frame.style.cssText = "width: 100%; border: 1px solid #c9ced6";
  const resize = () => (frame.style.height = `${model.get("height")}px`);
  const ask = ({ source, data }) => {
    if (source !== frame.contentWindow || typeof data?.asked !== "number") return;
    const { asked, method, path, type, body } = data;
    model.send({ asked: `${own}-${asked}`, method, path, type }, undefined, [body]);
  };
  const answer = ({ asked, status, type }, buffers) => {
    const [whose, number] = String(asked).split("-");
    if (whose !== own || !buffers?.length) return;
    const { buffer, byteOffset, byteLength } = buffers[0];
    const body = buffer.slice(byteOffset, byteOffset + byteLength);
    frame.contentWindow?.postMessage({ answered: Number(number), status, type, body }, "*", [body]);
  };
  resize();
  window.addEventListener("message", ask);
  model.on("msg:custom", answer);
  model.on("change:height", resize);
  el.append(frame);
  return () => {
    window.removeEventListener("message", ask);
    model.off("msg:custom", answer);
    model.off("change:height", resize);
    URL.revokeObjectURL(address);
  };
}

export default { render };
