// A receiver in a browser, without any of our code: joins the room, answers the offer, opens the two channels, greets
// as the sender does, says that packets are acceptable, and reads the header of each. Returns what it read.
async (server, room, seconds) => {
  const told = { opened: [], controls: [], frames: [], damaged: 0, messages: 0, bytes: 0, sizes: [], refusedAt: -1 };
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // CRC-16, polynomial 0x1021, initial value 0xFFFF.
  const crc = (bytes) => bytes.reduce((value, byte) => {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) value = value & 0x8000 ? (value << 1) ^ 0x1021 : value << 1;
    return value & 0xffff;
  }, 0xffff);

  const header = (packet) => {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    if (packet[0] >= 128) {
      const kind = packet[0] >> 2 & 31, sequence = view.getUint16(0) >> 4 & 63, length = packet.length;
      if (kind >= 24 && kind < 31) return { kind: "held", gap: kind - 23, sequence, length };
      if (kind === 31 && packet[3] >= 96) return { kind: "held", gap: packet[3] - 95, sequence, length };
      const gap = kind === 31 ? 1 + Math.floor(packet[3] / 6) : 1 + kind % 12;
      return { kind: "predicted", gap, sequence, length };
    }
    if (packet[0] >> 4 !== 2) return null;
    const body = [...packet.slice(0, 7), ...packet.slice(9)];
    if (crc(body) !== view.getUint16(7)) return null;
    return { kind: "alone", avatar: hex(packet.slice(1, 3)), sequence: view.getUint16(3),
             timestamp: view.getUint16(5), length: packet.length };
  };

  const packets = (message) => {
    if (message[0] < 64 || message[0] > 96) return [message];
    const count = message[0] - 62, found = [];
    let position = count;
    for (let index = 0; index < count - 1; index++) {
      found.push(message.slice(position, position + message[1 + index]));
      position += message[1 + index];
    }
    return [...found, message.slice(position)];
  };

  const connection = new RTCPeerConnection();
  const control = connection.createDataChannel("control", { negotiated: true, id: 0 });
  const face = connection.createDataChannel("face", { negotiated: true, id: 1, ordered: false, maxRetransmits: 0 });
  control.binaryType = face.binaryType = "arraybuffer";
  const done = new Promise((resolve) => {
    face.onmessage = ({ data }) => {
      const message = new Uint8Array(data);
      told.messages++;
      told.bytes += message.length;
      for (const packet of packets(message)) {
        const read = header(packet);
        read === null ? told.damaged++ : told.frames.push(read);
      }
      if (told.messages === 40) {
        told.refusedAt = told.frames.length;
        control.send(JSON.stringify({ type: "refused" }));
      }
      if (told.messages === 1) setTimeout(resolve, 1000 * seconds);
    };
  });
  control.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    told.controls.push(message.type);
    if (message.type === "hello") {
      const nonce = hex(crypto.getRandomValues(new Uint8Array(32)));
      control.send(JSON.stringify({ ...message, role: "receiver", nonce, recording: "" }));
      control.send(JSON.stringify({ type: "accepted" }));
    }
    if (message.type === "beat") {
      const now = performance.now() / 1000;
      control.send(JSON.stringify({ type: "beat", t: now, echo: message.t, held: 0 }));
    }
  };
  for (const channel of [control, face]) channel.onopen = () => told.opened.push(channel.label);

  const socket = new WebSocket(server);
  socket.onopen = () => socket.send(JSON.stringify({ type: "join", room, opens: false, wait: 10, version: 1 }));
  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    if (message.type !== "description") return;
    await connection.setRemoteDescription({ type: message.kind, sdp: message.sdp });
    await connection.setLocalDescription(await connection.createAnswer());
    while (connection.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
    socket.send(JSON.stringify({ type: "description", kind: "answer", sdp: connection.localDescription.sdp }));
  };
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(
    `no face after 15 s: ${JSON.stringify(told)} ${connection.iceConnectionState} ${connection.connectionState}`)), 15000));
  await Promise.race([done, late]);
  control.send(JSON.stringify({ type: "bye" }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  connection.close();
  return told;
}
