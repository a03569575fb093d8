"""`python small_service.py PORT [CHILD_PID_FILE]`: the least that a service process is.

Answers 200 to every GET. With a second argument it starts a child that outlives it, unless somebody
ends the whole family, and writes the child's pid there.
"""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        Path(sys.argv[2]).write_text(str(child.pid))
    HTTPServer(("127.0.0.1", int(sys.argv[1])), _Ready).serve_forever()
