"""Validates a file of JSON lines against a JSON Schema: SCHEMA LINES. Prints each fault, and how many lines there are."""

import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
validator = kind(schema)
count = 0
with open(sys.argv[2], encoding="utf-8") as lines:
    for count, line in enumerate(lines, start=1):
        for fault in validator.iter_errors(json.loads(line)):
            print(f"line {count}: {fault.message}")
print(f"{count} lines")
