"""What the peers share: their command lines, their payloads and how a server ends.

A server says `ready` once it consumes and ends, cleanly, when its standard input does.
A client prints one line a call and exits with 0 only if every reply was right.
"""

import argparse
import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable

CALL_TIMEOUT = 30  # seconds; nothing here should take more than a few
TEXT = "héllo"
NUMBERS = {"a": 20, "b": 22}
# What a handler may give back, by its name: these libraries choose the content type by the type.
VALUES = {"object": {"a": [1, 2.5, None]}, "number": 42, "text": TEXT, "nothing": None}


def broker_url() -> str:
    try:
        return os.environ["AMQP_URL"]
    except KeyError:
        sys.exit("AMQP_URL is not set")


def server_arguments(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("queue")
    for flag in ("--json", *flags):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def client_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("queue")
    parser.add_argument("--size", type=int, action="append", default=[])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--text", action="store_true")
    return parser.parse_args()


def sized_body(size: int) -> bytes:
    """Byte `i` is `(i * 7 + size) % 251`: it depends on its place and on the size,
    so that a frame lost, doubled or swapped shows."""
    period = bytes((i * 7 + size) % 251 for i in range(251))
    return (period * (size // 251 + 1))[:size]


def add(numbers: dict) -> dict:
    return {"sum": numbers["a"] + numbers["b"]}


async def serve_until_stdin_ends() -> None:
    """A handler's reply may be there before the handler acknowledges the request, so those
    that still run are waited for: an acknowledgement after the end breaks the connection."""
    idle = asyncio.all_tasks()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    if handlers := asyncio.all_tasks() - idle:
        _, running = await asyncio.wait(handlers, timeout=CALL_TIMEOUT)
        if running:
            sys.exit(f"handlers still run: {running}")


def when_stdin_ends(callback: Callable[[], None]) -> None:
    """For servers without asyncio. The callback runs in a thread of its own."""

    def wait() -> None:
        sys.stdin.buffer.read()
        callback()

    print("ready", flush=True)
    threading.Thread(target=wait, daemon=True).start()


def check_sized_reply(size: int, body: bytes) -> None:
    if body != sized_body(size):
        sys.exit(f"the reply to {size} bytes differs: {len(body)} bytes, {body[:16]!r}...")
    print(f"ok {size}", flush=True)


def show_json_reply(reply: object, content_type: str | None) -> None:
    print(f"json {content_type or '-'} {json.dumps(reply, sort_keys=True)}", flush=True)


def show_text_reply(reply: str, content_type: str | None) -> None:
    print(f"text {content_type or '-'} {reply}", flush=True)
