// Closes one connection without reading a byte of it. See tests/src/peer.rs for the few words it speaks.
'use strict';
const net = require('net');

const [role, address, port] = process.argv.slice(2);

function closeWhenTold(socket) {
  socket.on('close', () => console.log('closed'));
  // It goes on until the end of stdin: whoever asks for its symbols may take its time.
  process.stdin.once('data', function closeNow() {
    socket.destroy();
  });
}

if (role === 'client') {
  const socket = net.connect({ host: address, port: Number(port) });
  // Before it is connected: a socket that is not paused reads ahead even when nobody listens to its data.
  socket.pause();
  socket.on('connect', () => {
    console.log(socket.localPort);
    closeWhenTold(socket);
  });
} else {
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    server.close();
    console.log('accepted');
    closeWhenTold(socket);
  });
  server.listen(0, address, () => console.log(server.address().port));
}
