"""Trains the built-in vision model. See README.md beside this file."""
import argparse
import copy
import json
import math
import os
import time

import numpy as np
import torch
from torch.nn import functional as F

import augment
from network import Net, table


class Photos:
    """What tools/vision/prepare wrote."""

    def __init__(self, folder):
        with open(os.path.join(folder, "index.json")) as file:
            index = json.load(file)
        self.labels = index["labels"]
        self.names = [p["name"] for p in index["photos"]]
        self.parts = np.array([p["part"] for p in index["photos"]])
        self.classes = torch.tensor([self.labels.index(p["class"]) for p in index["photos"]])
        self.pixels = {}
        for f in index["files"]:
            flat = np.fromfile(os.path.join(folder, f["name"]), np.uint8)
            photos = flat.reshape(-1, f["height"], f["width"], 3)
            self.pixels[f["name"]] = torch.from_numpy(photos).permute(0, 3, 1, 2).contiguous()

    def part(self, name):
        return torch.from_numpy(np.nonzero(self.parts == name)[0])


def scaled(pixels):
    """0 to 255 become −1 to 1, as internal/convnet does it."""
    return pixels.float() / 127.5 - 1


def halved(pixels):
    """Photos of half the size, a batch at a time: as floats they are large."""
    return torch.cat([F.avg_pool2d(p.float(), 2).round().byte() for p in pixels.split(64)])


def outputs(net, pixels, batch=32):
    net.eval()
    with torch.no_grad():
        return torch.cat([net(scaled(p)) for p in pixels.split(batch)])


def best_temperature(logits, classes):
    """Returns the temperature that makes the classes most likely, and the loss with it."""
    temperatures = np.exp(np.linspace(math.log(0.2), math.log(5), 200)).tolist()
    loss, best = min((float(F.cross_entropy(logits / t, classes)), t) for t in temperatures)
    return best, loss


class Run:
    """A training run that can be broken off and gone on with."""

    def __init__(self, args, photos):
        self.args, self.photos = args, photos
        self.train, self.validation = photos.part("train"), photos.part("validation")
        # Small pieces are cut out of small photos: quicker, and nothing is skipped between pixels.
        self.half = halved(photos.pixels["large.u8"])
        self.net = Net(table(), len(photos.labels)).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        decayed = [p for p in self.net.parameters() if p.dim() > 1]
        others = [p for p in self.net.parameters() if p.dim() <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": args.decay},
             {"params": others, "weight_decay": 0.0}], lr=args.rate, betas=(0.9, 0.99))
        self.epoch, self.best, self.log, self.seconds = 0, None, [], 0.0
        # The rarest class comes twice in an epoch: more often, but not as often as the others.
        counts = torch.bincount(photos.classes[self.train]).float()
        repeats = (counts.max() / counts).sqrt().round().long()
        self.picks = self.train.repeat_interleave(repeats[photos.classes[self.train]])
        self.steps = len(self.picks) // args.batch

    def size(self):
        """Small pieces first: they are quick, and the last epochs see what the network will see."""
        return next(size for size, until in self.args.sizes if self.epoch < until * self.args.epochs)

    def rate(self, step):
        done = (self.epoch + step / self.steps) / self.args.epochs
        warm = 0.04
        if done < warm:
            return self.args.rate * done / warm
        return self.args.rate * (0.005 + 0.995 * (1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2)

    def batch(self, picked, mixing):
        source = self.half if self.size() <= 64 else self.photos.pixels["large.u8"]
        x = augment.recolor(augment.cut(scaled(source[picked]), self.size()))
        y = F.one_hot(self.photos.classes[picked], len(self.photos.labels)).float()
        if mixing:
            return augment.mix(augment.erase(x), y)
        return x, y

    def step(self, picked, step):
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)
        self.net.train()
        x, y = self.batch(picked, self.epoch < 0.9 * self.args.epochs)
        logits = self.net(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, y, label_smoothing=self.args.smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.follow(self.epoch * self.steps + step)
        return float(loss.detach())

    def follow(self, updates):
        """The network that is kept is the moving average of the one that is trained."""
        decay = min(self.args.ema, (1 + updates) / (10 + updates))
        with torch.no_grad():
            for kept, new in zip(self.average.state_dict().values(), self.net.state_dict().values()):
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)

    def one_epoch(self):
        began = time.monotonic()
        # Every epoch has a seed of its own, so that a resumed run goes on as if it had not stopped.
        torch.manual_seed(self.args.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.picks))[:self.steps * self.args.batch]
        batches = self.picks[order].split(self.args.batch)
        losses = [self.step(picked, i) for i, picked in enumerate(batches)]
        self.epoch += 1
        self.seconds += time.monotonic() - began
        return sum(losses) / len(losses)

    def check(self, loss):
        logits = outputs(self.average, self.photos.pixels[self.args.input][self.validation])
        classes = self.photos.classes[self.validation]
        temperature, likely = best_temperature(logits, classes)
        right = float((logits.argmax(1) == classes).float().mean())
        seen = {"epoch": self.epoch, "seconds": round(self.seconds), "loss": round(loss, 4),
                "validation_loss": round(likely, 4), "validation_accuracy": round(right, 4)}
        print(json.dumps(seen), flush=True)
        self.log.append(seen)
        if self.best is None or likely <= self.best[0]:
            self.best = (likely, self.epoch, copy.deepcopy(self.average.state_dict()))

    def save(self):
        path = os.path.join(self.args.out, "run.pt")
        torch.save({"net": self.net.state_dict(), "average": self.average.state_dict(),
                    "optimizer": self.optimizer.state_dict(), "epoch": self.epoch, "best": self.best,
                    "log": self.log, "seconds": self.seconds, "args": vars(self.args)}, path + ".new")
        os.replace(path + ".new", path)

    def begin(self):
        """Takes another run's network to train it further."""
        if self.args.begin:
            _, _, state = torch.load(os.path.join(self.args.begin, "run.pt"))["best"]
            self.net.load_state_dict(state)
            self.average.load_state_dict(state)

    def resume(self):
        path = os.path.join(self.args.out, "run.pt")
        if not os.path.exists(path):
            self.begin()
            return
        state = torch.load(path)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best, self.log = state["epoch"], state["best"], state["log"]
        self.seconds = state["seconds"]
        print(json.dumps({"resumed_at": self.epoch}), flush=True)

    def all(self):
        self.resume()
        while self.epoch < self.args.epochs:
            loss = self.one_epoch()
            if self.epoch % 5 == 0 or self.epoch == self.args.epochs:
                self.check(loss)
                self.save()


def sizes(text):
    """Reads "64:0.5,96:1": pieces of 64 pixels until half of the epochs are done, then 96."""
    stages = [(int(size), float(until)) for size, until in (s.split(":") for s in text.split(","))]
    if stages[-1][1] != 1:
        raise argparse.ArgumentTypeError(f"the last of the sizes {text} has to end at 1")
    return stages


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="what tools/vision/prepare wrote")
    parser.add_argument("--out", required=True, help="folder of the run; one that is there is resumed")
    parser.add_argument("--begin", help="folder of a finished run, whose network is trained further")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--sizes", type=sizes, default="64:0.5,96:0.8,128:1", metavar="SIZE:UNTIL,…",
                        help="pixels of the pieces, each until a share of the epochs is done")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--smoothing", type=float, default=0.05)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--input", default="input.u8", help="the size that the network will see")
    return parser.parse_args()


if __name__ == "__main__":
    args = arguments()
    os.makedirs(args.out, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    Run(args, Photos(args.data)).all()
