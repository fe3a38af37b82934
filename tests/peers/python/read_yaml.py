"""Prints the documents of a YAML file as a JSON array. Duplicate keys are errors: PyYAML takes the last one silently."""

import json
import sys

import yaml


class Strict(yaml.SafeLoader):
    """SafeLoader that refuses a key that is there already."""


def mapping(loader, node, deep=False):
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"{node.start_mark}: twice: {twice}")
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps(list(yaml.load_all(file, Strict))))
