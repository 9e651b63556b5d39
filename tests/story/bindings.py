"""A device from Python: made, enrolled, synced, measured on, synced again, opened anew.

Called by `story/bindings.rs` with the folder of the generated module, the store's path and an enrolment text.
"""

import asyncio
import os
import sys

sources, store, text = sys.argv[1:]
sys.path.insert(0, sources)

import grabrail  # noqa: E402  (it lies where the first argument says)

PASSPHRASE = "a tablet in the rain"


async def main():
    device = await grabrail.GrabrailDevice.create(store, PASSPHRASE)
    try:
        await device.sync()
        raise AssertionError("a device of nobody synced")
    except grabrail.GrabrailError.Enrolment:
        pass
    await device.enrol(text, "Olu's tablet")
    assert (await device.sync()).cards == 1

    [case] = await device.cases()
    assert case.client == "Doris Example", case
    home = next(line for line in await device.documents(case.case) if line.kind == "home")
    assert home.writable and not home.server_has, home

    tape = grabrail.MethodOfMeasuring.TAPE
    key = await device.measure(home.document, "bathroom-1/door-1", "door-clear-width", 735, tape)
    [line] = [line for line in await device.documents(case.case) if line.document == home.document]
    assert line.unsent == 1 and not line.server_has, line
    try:
        await device.measure(home.document, "nowhere", "door-clear-width", 735, tape)
        raise AssertionError("a place that is none was taken")
    except grabrail.GrabrailError.BadInput:
        pass

    assert (await device.sync()).receipted == 1
    [line] = [line for line in await device.documents(case.case) if line.document == home.document]
    assert line.unsent == 0 and line.server_has, line

    try:
        await grabrail.GrabrailDevice.open(store, PASSPHRASE)
        raise AssertionError("a store was opened twice")
    except grabrail.GrabrailError.InUse:
        pass
    del device

    try:
        await grabrail.GrabrailDevice.open(store, "another passphrase")
        raise AssertionError("a wrong passphrase opened the store")
    except grabrail.GrabrailError.WrongKey:
        pass
    again = await grabrail.GrabrailDevice.open(store, PASSPHRASE)
    [reading] = (await again.open_document(home.document)).readings
    assert (reading.key, reading.value, reading.current) == (key, 735, True), reading


asyncio.run(main())
# A thread of the library may still be on its way out of the callback that woke the last await; an interpreter that is taken
# apart meanwhile aborts the process.
sys.stdout.flush()
os._exit(0)
