"""Requests written byte by byte over TLS, for what an HTTP library would not send."""

import base64
import select
import socket
import ssl
import time
import urllib.parse


def connect(boot, timeout=30):
    """A TLS connection to the API, verified by the server's own CA, speaking HTTP/1.1."""
    address = urllib.parse.urlsplit(boot["https_url"])
    context = ssl.create_default_context(cafile=boot["ca_file"])
    # TLS 1.3 sends session tickets after the handshake, which would look like an answer.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection((address.hostname, address.port), timeout=timeout)
    return context.wrap_socket(plain, server_hostname=address.hostname)


def head(boot, method, path, *headers, credentials=True):
    """The request line and headers, with the owner's API key."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    if credentials:
        pair = base64.b64encode(f"{boot['api_key']}:{boot['api_secret']}".encode()).decode()
        lines.append(f"Authorization: Basic {pair}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answered(stream, seconds):
    """Whether the peer has said or closed something within the time."""
    return bool(stream.pending()) or bool(select.select([stream], [], [], seconds)[0])


def send_until_answered(boot, request_head, chunks):
    """Sends a body piece by piece until the server answers or the pieces end: (status, bytes sent).

    Status is 0 when the server closed the connection without an answer.
    """
    sent = 0
    with connect(boot) as stream:
        stream.sendall(request_head)
        try:
            for chunk in chunks:
                if answered(stream, 0):
                    break
                stream.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        return read_status(stream), sent


def read_status(stream, seconds=30):
    """The status of the answer on the stream; 0 when it is closed without one."""
    data = b""
    deadline = time.monotonic() + seconds
    try:
        while b"\r\n" not in data and time.monotonic() < deadline:
            piece = stream.recv(4096)
            if not piece:
                return 0
            data += piece
    except (ConnectionResetError, ssl.SSLError, TimeoutError):
        return 0
    return int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/") else 0
