# Closes one connection without reading a byte of it. See tests/src/peer.rs for the few words it speaks.
import socket
import sys


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connection(role, address, port=0):
    if role == "client":
        sock = socket.socket(family(address))
        sock.connect((address, int(port)))
        print(sock.getsockname()[1], flush=True)
        return sock
    with socket.create_server((address, 0), family=family(address), dualstack_ipv6=address == "::") as listener:
        print(listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
    print("accepted", flush=True)
    return sock


sock = connection(*sys.argv[1:])
sys.stdin.readline()
sock.close()
print("closed", flush=True)
