"""A ClickHouse engine (chDB) that is talked to by lines: in goes a JSON string, a statement; out comes the JSON array of
its rows, or {"error": …}. The argument is the folder of its data."""

import json
import sys

from chdb.session import Session

session = Session(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = session.query(json.loads(line), "JSONEachRow")
        text = answer.bytes().decode() if answer else ""
        rows = [json.loads(row) for row in text.splitlines()]
        print(json.dumps(rows), flush=True)
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
