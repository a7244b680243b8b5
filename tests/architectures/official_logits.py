"""Writes the logits that Hugging Face's `transformers` gives for the small models of tests/golden/architectures/.

    python3 tests/architectures/official_logits.py [NAME...]

Needs `pip install torch transformers`. Each file there lists cases; a case has the `config` of a repository and the class that
reads it. The script adds the shapes of the tensors, and the logits of `tokens` in float64. The tensors themselves come from a
formula of their names, which the tests know as well (official_test.ts), so that no weights need to be kept.
"""

import copy
import json
import math
import pathlib
import sys

import numpy
import torch
import transformers

FOLDER = pathlib.Path(__file__).parents[1] / "golden" / "architectures"
TOKENS = 12


def value_bits(name, count):
    """Pseudo-random 32-bit words: a hash of the name, and of the index of each element."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    x = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + seed) % 2**32
    x = (x ^ (x >> 16)) * 0x45D9F3B % 2**32
    x = (x ^ (x >> 16)) * 0x45D9F3B % 2**32
    return x ^ (x >> 16)


def tensor_values(name, shape):
    """Matrices keep the size of what they map; vectors are small, and gains of norms lie around 1."""
    uniform = value_bits(name, math.prod(shape)) / 2**31 - 1  # from -1 to 1
    if len(shape) == 1:
        values = 0.3 * uniform + (1 if is_gain(name) else 0)
    else:
        values = math.sqrt(6 / shape[-1]) * uniform
    return values.astype(numpy.float32).reshape(shape)


def is_gain(name):
    layer = name.split(".")[-2]
    return name.endswith(".weight") and ("norm" in layer or "ln" in layer)


def fill(case):
    # Of a model that sees images, too, only the part that reads text is run, whose names have a prefix in files.
    written, prefix = case["config"], case.get("prefix", "")
    # Some classes change the objects that they are given.
    config = getattr(transformers, case["configClass"])(
        **copy.deepcopy(written.get("text_config", written))
    )
    config._attn_implementation = "eager"
    config.use_cache = False
    torch.manual_seed(0)
    model_class = case.get("modelClass", written["architectures"][0])
    model = getattr(transformers, model_class)(config).double().eval()
    tensors, places = {}, set()
    parameters = dict(model.named_parameters())
    for name, tensor in parameters.items():
        if tensor.data_ptr() in places:
            continue  # a head tied to the embeddings
        places.add(tensor.data_ptr())
        in_file = prefix + name
        tensors[in_file] = list(tensor.shape)
        values = tensor_values(in_file, tensor.shape).astype(numpy.float64)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(values))
    bits = value_bits("tokens", 2 * TOKENS).reshape(2, TOKENS)
    tokens = (3 + bits % (config.vocab_size - 3)).astype(numpy.int64)
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(tokens), use_cache=False).logits
    case["tensors"] = tensors
    case["tokens"] = tokens.flatten().tolist()
    case["logits"] = [float(f"{x:.8g}") for x in logits.flatten().tolist()]
    return len(tensors), float(logits.std())


def main():
    for path in sorted(FOLDER.glob("*.json")):
        if len(sys.argv) > 1 and path.stem not in sys.argv[1:]:
            continue
        cases = json.loads(path.read_text())
        for case in cases:
            print(path.stem, *fill(case))
        text = json.dumps(cases, separators=(",", ":"))
        path.write_text(text.replace('{"config"', '\n{"config"').replace("}]", "}\n]") + "\n")


main()
