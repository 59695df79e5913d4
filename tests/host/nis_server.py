#!/usr/bin/python3
"""Stands in for the apcupsd of the host that a UPS hangs on: a NIS server with a file's text.

A request and each line of the answer have their length before them, in two bytes; none ends it.
"""

import socketserver
import sys
from pathlib import Path

FILE, PORT = Path(sys.argv[1]), int(sys.argv[2])


class Status(socketserver.StreamRequestHandler):
    """Whatever is asked, this is the answer."""

    def handle(self) -> None:
        """Answer once; apcupsd comes anew each time."""
        self.rfile.read(int.from_bytes(self.rfile.read(2), "big"))
        for line in FILE.read_bytes().splitlines(keepends=True):
            self.wfile.write(len(line).to_bytes(2, "big") + line)
        self.wfile.write(bytes(2))


if __name__ == "__main__":
    socketserver.TCPServer.allow_reuse_address = True
    socketserver.TCPServer(("127.0.0.1", PORT), Status).serve_forever()
