"""Asks an engine that is not of our making about a file: `engines.py duckdb|chdb FILE STATEMENT`, where the statement has
{file} for the file. Prints a JSON array of rows, each an array."""

import json
import sys

engine, path, statement = sys.argv[1:]
if engine == "duckdb":
    import duckdb

    rows = [list(row) for row in duckdb.connect().execute(statement.format(file=f"'{path}'")).fetchall()]
else:
    from chdb import query

    answer = query(statement.format(file=f"file('{path}')"), "JSONCompactEachRow")
    rows = [json.loads(line) for line in answer.bytes().decode().splitlines()]
print(json.dumps(rows))
