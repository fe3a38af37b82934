"""A receiver of OpenTelemetry logs, made of the official packages: grpcio, opentelemetry-proto and protobuf.

Usage: otlp_receiver.py grpc|http PORT [options]. Prints the port, then each log record as a line of JSON, once it is
accepted: {"request": number, "resource": {...}, "scope": {...}, "record": {...}}.
"""

import argparse
import http.server
import json
import ssl
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as messages
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as service

arguments = argparse.ArgumentParser()
arguments.add_argument("protocol", choices=["grpc", "http"])
arguments.add_argument("port", type=int)
arguments.add_argument("--cert", help="PEM file of the server's certificate")
arguments.add_argument("--key", help="PEM file of its key")
arguments.add_argument("--client-ca", help="PEM file: who must have signed the client's certificate")
arguments.add_argument("--authorization", help="what that header must say")
arguments.add_argument("--answers", default="", help="to the first requests: busy,partial,... instead of accepting them")
arguments = arguments.parse_args()

lock = threading.Lock()
answers = [answer for answer in arguments.answers.split(",") if answer]
requests = 0


def take(request):
    """What to answer; None for a request that is to be sent again."""
    global requests
    with lock:
        requests += 1
        answer = answers.pop(0) if answers else ""
        if answer == "busy":
            return None
        response = messages.ExportLogsServiceResponse()
        skip = 1 if answer == "partial" else 0
        if skip:
            response.partial_success.rejected_log_records = 1
            response.partial_success.error_message = "the first one is too old"
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records[skip:]:
                    told = {
                        "request": requests,
                        "resource": MessageToDict(resource.resource),
                        "scope": MessageToDict(scope.scope),
                        "record": MessageToDict(record),
                    }
                    print(json.dumps(told))
        sys.stdout.flush()
        return response


def is_allowed(authorization):
    return arguments.authorization is None or authorization == arguments.authorization


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Logs(service.LogsServiceServicer):
    def Export(self, request, context):
        if not is_allowed(dict(context.invocation_metadata()).get("authorization")):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        response = take(request)
        if response is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        return response


def serve_grpc():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    service.add_LogsServiceServicer_to_server(Logs(), server)
    address = f"127.0.0.1:{arguments.port}"
    if arguments.cert:
        pair = [(read(arguments.key), read(arguments.cert))]
        ca = read(arguments.client_ca) if arguments.client_ca else None
        credentials = grpc.ssl_server_credentials(pair, ca, require_client_auth=ca is not None)
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/v1/logs" or self.headers["content-type"] != "application/x-protobuf":
            return self.answer(404, b"")
        if not is_allowed(self.headers["authorization"]):
            return self.answer(401, b"who are you?")
        response = take(messages.ExportLogsServiceRequest.FromString(body))
        if response is None:
            return self.answer(503, b"")
        return self.answer(200, response.SerializeToString())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Clients that go away, or do not trust us, are part of the tests."""


def serve_http():
    server = Server(("127.0.0.1", arguments.port), Handler)
    if arguments.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.cert, arguments.key)
        if arguments.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(arguments.client_ca)
        # Shakes hands when the connection's own thread reads, not while others wait to be accepted.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


serve_grpc() if arguments.protocol == "grpc" else serve_http()
