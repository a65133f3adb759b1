"""Writes the trained network for Go, and outputs to compare it with. See README.md beside this file."""
import argparse
import json
import os

import numpy as np
import torch

from network import Net, Together, table
from train import Photos, best_temperature, outputs

# An answer is sure from the confidence at which so many of the validation photos are right.
RIGHT_WHERE_SURE = 0.9
COMPARED = 50


def pattern(seed, width, height):
    """A picture that internal/localvision draws, too: vectors_test.go has the same formula."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    picture = (x * (3 + seed) + y * (5 + 2 * seed) + 85 * c + (x * y * seed) // 16) % 256
    return torch.from_numpy(picture.astype(np.uint8)).permute(2, 0, 1)[None]


def sure_at(chances, classes):
    confidence, guess = chances.max(1)
    right = (guess == classes).float()
    for threshold in np.arange(0.30, 0.96, 0.01).tolist():
        answered = confidence >= threshold
        if answered.any() and float(right[answered].mean()) >= RIGHT_WHERE_SURE:
            return round(threshold, 2)
    return 0.95


def turned(pixels):
    """A photo in its eight turns and mirrorings: a temperature out of few photos alone is a matter of luck."""
    for x in (pixels, pixels.transpose(2, 3)):
        for y in (x, x.flip(2)):
            yield y
            yield y.flip(3)


def vectors(net, photos, pixels, temperature):
    def chances(x):
        return [[round(v, 7) for v in row]
                for row in (outputs(net, x) / temperature).softmax(1).tolist()]

    test = photos.part("test")
    picked = test[np.linspace(0, len(test) - 1, COMPARED).round().astype(int)]
    shown = [{"name": photos.names[i], "chances": c}
             for i, c in zip(picked.tolist(), chances(pixels[picked]))]
    drawn = [{"seed": seed, "width": w, "height": h, "chances": chances(pattern(seed, w, h))[0]}
             for seed, w, h in ((1, 128, 96), (2, 96, 128), (3, 128, 128), (4, 47, 33), (5, 128, 3))]
    return {"photos": shown, "patterns": drawn}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--run", required=True, nargs="+", help="folders of runs; several answer together")
    parser.add_argument("--out", required=True, help="internal/localvision")
    parser.add_argument("--input", default="input.u8", help="the size that the network will see")
    args = parser.parse_args()
    photos = Photos(args.data)
    nets, training = [], []
    for folder in args.run:
        run = torch.load(os.path.join(folder, "run.pt"))
        loss, epoch, state = run["best"]
        net = Net(table(), len(photos.labels))
        net.load_state_dict(state)
        nets.append(net)
        training.append({"epoch": epoch, "validation_loss": round(loss, 4), **{
            k: v for k, v in run["args"].items() if k not in ("data", "out", "input", "threads")}})
    net, pixels = Together(nets), photos.pixels[args.input]
    validation = photos.part("validation")
    classes = photos.classes[validation].repeat(8)
    logits = torch.cat([outputs(net, view.contiguous()) for view in turned(pixels[validation])])
    temperature, loss = best_temperature(logits, classes)
    header = {
        "labels": photos.labels, "long_side": max(pixels.shape[2:]),
        "temperature": round(temperature, 4),
        "sure_at": sure_at((logits / temperature).softmax(1), classes),
        "training": {"photos": "TrashNet by Gary Thung and Mindy Yang (MIT license)",
                     "validation_loss": round(loss, 4), "runs": training},
    }
    with open(os.path.join(args.out, "testdata", "vectors.json"), "w") as file:
        json.dump(vectors(net, photos, pixels, header["temperature"]), file, indent=1)
        file.write("\n")
    numbers = net.write(os.path.join(args.out, "weights.bin"), header)
    print(json.dumps({**header, "numbers": numbers}, indent=1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
