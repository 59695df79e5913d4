#!/usr/bin/python3
"""Take guests to safety through the service, and follow that: preserve_and_follow.py [GUEST…]"""

import asyncio
import json
import sys

try:
    from dbus_fast import BusType, Variant
    from dbus_fast.aio import MessageBus
except ImportError:
    from dbus_next import BusType, Variant
    from dbus_next.aio import MessageBus

NAME, ROOT = "org.guestctl1", "/org/guestctl1"


async def main(guests):
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()

    async def interface(path, name):
        known = await bus.introspect(NAME, path)
        return bus.get_proxy_object(NAME, path, known).get_interface(f"{NAME}.{name}")

    manager = await interface(ROOT, "Manager")
    await manager.call_subscribe()
    path = await manager.call_preserve(guests, {"reason": Variant("s", "an example")})
    run, news = await interface(path, "Run"), asyncio.Event()
    run.on_event(lambda number, text: news.set())
    run.on_ended(lambda ok, text: news.set())
    following, is_over = 1, False
    while not is_over:
        news.clear()
        events, is_over = await run.call_events(following)
        for number, text in events:
            following, event = number + 1, json.loads(text)
            if event["event"] == "GuestEnded":
                print(event["result"]["name"], event["result"]["outcome"])
        if not (events or is_over):
            await news.wait()
    return 0 if await run.get_ok() else 1


sys.exit(asyncio.run(main(sys.argv[1:])))
