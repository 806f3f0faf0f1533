"""A cheap HTTP server that speaks the OpenAI chat protocol, in a process of its own, for the benchmarks.

    with serving(latency_s=0.2) as server:
        ...                     # ask server.url
        server.tell("counts")   # what it saw; "twice": the keys of requests that it answered more than once;
                                # "reset" forgets it all; "outage 60" closes socket and connections for a minute

Each chain is played from one script of five turns. Faults are drawn from the content of a request and the number of
the try: two runs of the same chains meet the same ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

SCRIPT = (
    'Reasoning(thought="First the price of all apples, then what is left of the money.")',
    "Multiply(a=12, b=3)",
    "Add(a=36, b=14)",
    "Subtract(a=100, b=50)",
    'Finish(answer="50")',
)


def completion(text: str) -> dict:
    """An answer as OpenAI words it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "test",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 12, "total_tokens": 412},
    }


def response(status: int, body: dict, *headers: str) -> bytes:
    content = json.dumps(body).encode()
    reason = {200: "OK", 429: "Too Many Requests", 500: "Internal Server Error"}[status]
    lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + content


ANSWERS = [response(200, completion(text)) for text in SCRIPT]
ERRORS = {
    "rate_limit": response(429, {"error": {"message": "slow down", "type": "requests"}}, "Retry-After: 1"),
    "server_error": response(500, {"error": {"message": "internal error", "type": "server_error"}}),
    "error_in_200": response(200, {"error": {"message": "upstream broke", "code": 502}}),
}


def content_key(messages: list[dict], seed: int | None) -> str:
    """What a request is known by: two of one key are the same purchase."""
    return hashlib.sha256(json.dumps([seed, messages], sort_keys=True).encode()).hexdigest()


class State:
    """What the server was told and what it counts. `answered` is by content: twice there is paid twice."""

    def __init__(self, latency_s: float, rates: dict[str, float]):
        self.latency_s, self.rates = latency_s, rates
        self.connections: set[Connection] = set()
        self.forget()

    def forget(self) -> None:
        self.answered: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.first = self.last = 0.0

    def fault(self, key: str) -> str | None:
        """Drawn anew for each try, so that none is met for ever."""
        self.tries[key] += 1
        digest = hashlib.sha256(f"{key} {self.tries[key]}".encode()).digest()
        drawn = int.from_bytes(digest[:6]) / 2**48
        for name, rate in self.rates.items():
            if drawn < rate:
                return name
            drawn -= rate
        return None

    def counts(self) -> dict:
        return {
            "requests": sum(self.tries.values()),
            "answered": sum(self.answered.values()),
            "different": len(self.answered),
            "most_in_flight": self.most_in_flight,
            "seconds": self.last - self.first,  # from the first request to the last answer
            "faults": dict(self.faults),
            "cpu_s": time.process_time(),
        }


class Connection(asyncio.Protocol):
    """One connection, one request at a time: nothing that a client of this protocol does needs more."""

    def __init__(self, state: State):
        self.state, self.buffer, self.waiting = state, b"", None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.state.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.state.connections.discard(self)
        self.give_up()

    def give_up(self) -> None:
        """The client went away, or an outage began: its request is answered no more."""
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None
            self.state.in_flight -= 1

    def data_received(self, received: bytes) -> None:
        self.buffer += received
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) < length:
            return
        self.buffer = b""
        self.ask(body)

    def ask(self, body: bytes) -> None:
        state = self.state
        request = json.loads(body)
        messages = request["messages"]
        key = content_key(messages, request.get("seed"))
        state.in_flight += 1
        state.most_in_flight = max(state.most_in_flight, state.in_flight)
        state.first = state.first or time.monotonic()
        fault = state.fault(key)
        if fault:
            state.faults[fault] += 1
        turn = sum(message["role"] == "assistant" for message in messages)
        wait = {"rate_limit": 0.0, "hang": 3600.0}.get(fault, state.latency_s)
        loop = asyncio.get_running_loop()
        self.waiting = loop.call_later(wait, self.answer, key, ERRORS.get(fault) or ANSWERS[turn], fault)

    def answer(self, key: str, content: bytes, fault: str | None) -> None:
        state, self.waiting = self.state, None
        state.in_flight -= 1
        if fault is None:
            state.answered[key] += 1
        state.last = time.monotonic()
        self.transport.write(content)


async def serve(latency_s: float, rates: dict[str, float]) -> None:
    """Serve until stdin ends; each line of stdin is a command, answered by a line of JSON."""
    loop, state = asyncio.get_running_loop(), State(latency_s, rates)
    listening = await loop.create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=1024)
    port = listening.sockets[0].getsockname()[1]
    print(port, flush=True)

    async def outage(seconds: float) -> None:
        nonlocal listening
        listening.close()
        for connection in list(state.connections):
            connection.give_up()
            connection.transport.close()
        await asyncio.sleep(seconds)
        listening = await loop.create_server(lambda: Connection(state), "127.0.0.1", port, backlog=1024)

    while command := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        told = None
        if command[0] == "counts":
            told = state.counts()
        elif command[0] == "twice":
            told = [key for key, count in state.answered.items() if count > 1]
        elif command[0] == "reset":
            state.forget()
        elif command[0] == "outage":
            task = asyncio.create_task(outage(float(command[1])))
            task.add_done_callback(asyncio.Task.result)
        print(json.dumps(told), flush=True)


class Server:
    """The client's end: where to ask, and the line to the server's process."""

    def __init__(self, process: subprocess.Popen):
        self.process = process
        self.url = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"

    def tell(self, command: str) -> dict | list | None:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def serving(latency_s: float, rates: dict[str, float] | None = None) -> Iterator[Server]:
    command = [sys.executable, __file__, str(latency_s), json.dumps(rates or {})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), json.loads(sys.argv[2])))
