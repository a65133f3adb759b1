"""The network, as a table of layers, and the file that internal/convnet reads."""
import json
import struct

import torch
from torch import nn
from torch.nn import functional as F

PICTURE = -1


def table(widths=(16, 32, 64, 128, 192), blocks=(1, 1, 1, 1)):
    """Lists the layers: a stem that halves twice, then residual blocks; all but the first halve."""
    layers = []

    def layer(source, inputs, outputs, kernel=3, stride=1, add=PICTURE, relu=True):
        layers.append({"from": source, "in": inputs, "out": outputs, "kernel": kernel,
                       "stride": stride, "add": add, "relu": relu})
        return len(layers) - 1

    last = layer(PICTURE, 3, widths[0], stride=2)
    last = layer(last, widths[0], widths[1], stride=2)
    channels = widths[1]
    for width, count in zip(widths[1:], blocks):
        for _ in range(count):
            skip, stride = last, 1
            if width != channels:
                stride = 2
                skip = layer(last, channels, width, kernel=1, stride=2, relu=False)
            inner = layer(last, channels, width, stride=stride)
            last = layer(inner, width, width, add=skip)
            channels = width
    return layers


class Net(nn.Module):
    """Runs a table of layers; its head sees the mean and the maximum of every channel."""

    def __init__(self, layers, labels, dropout=0.2):
        super().__init__()
        self.layers = layers
        self.convs = nn.ModuleList(
            nn.Conv2d(l["in"], l["out"], l["kernel"], l["stride"], l["kernel"] // 2, bias=False)
            for l in layers)
        self.norms = nn.ModuleList(nn.BatchNorm2d(l["out"]) for l in layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * layers[-1]["out"], labels)
        for conv, norm, l in zip(self.convs, self.norms, layers):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            if l["add"] != PICTURE:  # a block begins as its shortcut
                nn.init.zeros_(norm.weight)

    def forward(self, x):
        outs = []
        for l, conv, norm in zip(self.layers, self.convs, self.norms):
            y = norm(conv(x if l["from"] == PICTURE else outs[l["from"]]))
            if l["add"] != PICTURE:
                y = y + outs[l["add"]]
            outs.append(F.relu(y) if l["relu"] else y)
        last = outs[-1]
        return self.head(self.dropout(torch.cat((last.mean((2, 3)), last.amax((2, 3))), 1)))


class Together(nn.Module):
    """Networks that were trained apart and answer together: the mean of their outputs."""

    def __init__(self, nets):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x):
        return torch.stack([net(x) for net in self.nets]).mean(0)

    def layers(self):
        """One table for all of them, and the layers that their common head sees."""
        layers, heads = [], []
        for net in self.nets:
            first = len(layers)
            for l in net.layers:
                move = {k: l[k] if l[k] == PICTURE else l[k] + first for k in ("from", "add")}
                layers.append({**l, **move})
            heads.append(len(layers) - 1)
        return layers, heads

    def numbers(self):
        """Weights and biases in the file's order, batch normalization folded into them."""
        for net in self.nets:
            for conv, norm in zip(net.convs, net.norms):
                scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                yield conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
        yield (torch.cat([net.head.weight for net in self.nets], 1) / len(self.nets),
               torch.stack([net.head.bias for net in self.nets]).mean(0))

    def write(self, path, header):
        """Writes the network's file; header lacks the layers only. Returns how many numbers it holds."""
        layers, heads = self.layers()
        text = json.dumps({**header, "heads": heads, "layers": layers}, separators=(",", ":")).encode()
        count = 0
        with open(path, "wb") as file:
            file.write(b"CONVNET1" + struct.pack("<I", len(text)) + text)
            for weights, biases in self.numbers():
                weights = weights.detach().double().flatten(1).numpy()
                scales = (abs(weights).max(1) / 32767).clip(1e-12).astype("<f4")
                file.write(scales.tobytes())
                file.write((weights / scales[:, None]).round().clip(-32767, 32767).astype("<i2").tobytes())
                file.write(biases.detach().numpy().astype("<f4").tobytes())
                count += weights.size + biases.numel()
        return count
