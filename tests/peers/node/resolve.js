// Asks for a host by c-ares, not by the C library, and closes a connection to it without reading a byte. See
// tests/src/peer.rs for the few words it speaks.
'use strict';
const dns = require('dns');
const net = require('net');

const [, host, port] = process.argv.slice(2);

dns.resolve4(host, (error, addresses) => {
  if (error) throw error;
  const socket = net.connect({ host: addresses[0], port: Number(port) });
  socket.pause();
  socket.on('close', () => console.log('closed'));
  socket.on('connect', () => {
    console.log(socket.localPort);
    process.stdin.once('data', () => {
      socket.destroy();
      process.stdin.pause();
    });
  });
});
