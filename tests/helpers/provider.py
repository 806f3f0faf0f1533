"""A real HTTP server that speaks the OpenAI chat protocol, for tests: it answers, counts, and fails on command."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What the server does instead of answering.

    `hang` waits until the server is closed; `trickle` begins an answer and sends a space of it now and then.
    """

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    trickle: bool = False


def error(status: int, message: str, **headers: str) -> Fault:
    """An error as OpenAI words it; `Retry_After="1"` becomes the header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status, {"error": {"message": message, "type": "test", "code": None}}, named)


def completion(text: str | None, finish_reason: str = "stop", model: str = "test", calls: Iterable = ()) -> dict:
    """An answer as OpenAI words it, with as many tokens always; `calls` are (id, name, arguments as JSON text)."""
    message: dict = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in calls
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


class Provider:
    """`with Provider(answer) as provider`: `answer(request)` gives the text of each turn.

    `faults` are taken one a request, in order, before anything is answered. `answered` counts the answers by request,
    `most_in_flight` is the most requests that were open at once; `seen`, `headers` and `times` hold the requests, their
    headers and when they came, in order.
    """

    def __init__(self, answer: Callable[[dict], str | dict | Fault], faults: Iterable[Fault] = ()):
        self.answer = answer
        self.faults = list(faults)
        self.seen: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.answered: Counter[str] = Counter()
        self.most_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self) -> Provider:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with provider._lock:
                    provider.seen.append(request)
                    provider.headers.append({name.lower(): value for name, value in self.headers.items()})
                    provider.times.append(time.monotonic())
                    provider._in_flight += 1
                    provider.most_in_flight = max(provider.most_in_flight, provider._in_flight)
                    fault = provider.faults.pop(0) if provider.faults else None
                try:
                    self.reply(request, fault or provider.answer(request))
                finally:
                    with provider._lock:
                        provider._in_flight -= 1

            def reply(self, request: dict, answer: str | dict | Fault) -> None:
                headers, status, body = {}, 200, answer
                if isinstance(answer, Fault):
                    if answer.hang:
                        provider._closing.wait()
                        self.close_connection = True
                        return
                    if answer.trickle:
                        self.trickle()
                        return
                    headers, status, body = answer.headers, answer.status, answer.body
                else:
                    body = completion(answer) if isinstance(answer, str) else answer
                    with provider._lock:
                        provider.answered[json.dumps(request, sort_keys=True)] += 1
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def trickle(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                self.close_connection = True
                with contextlib.suppress(OSError):  # the client has gone
                    while not provider._closing.wait(0.02):
                        self.wfile.write(b" ")

            def log_message(self, *_parts: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        return self

    @property
    def keys(self) -> list[str]:
        """What each request proved itself with."""
        return [headers.get("authorization", "") for headers in self.headers]

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
