"""Receivers of webhooks on loopback: each keeps what came in and answers as it is told to."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Receiver(http.server.ThreadingHTTPServer):
    daemon_threads = True
    seen: list[tuple[dict[str, str], bytes]]
    answer: Callable[[int], int]
    ended: threading.Event


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((headers, body))
        status = self.server.answer(len(self.server.seen))
        if status == 0:
            self.server.ended.wait(120)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def receiving(answer: Callable[[int], int]) -> Iterator[tuple[str, Receiver]]:
    """A receiver that answers its n-th request with a status, 0 for never."""
    with Receiver(("127.0.0.1", 0), _Handler) as server:
        server.seen, server.answer, server.ended = [], answer, threading.Event()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook?camera=1", server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
