"""Vector's language, compiled and run. A line in is JSON, [program, event]; a line out is the event that the program
leaves, or {"error": …}."""

import datetime
import json
import sys

from pyvrl import Transform


def text(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(type(value))


print("ready", flush=True)
for line in sys.stdin:
    program, event = json.loads(line)
    try:
        # What remap() gives is the value of the last expression.
        left = Transform(program + "\n.\n").remap(event)
        print(json.dumps(left, default=text), flush=True)
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
