"""Makes other photos out of photos, a batch at a time: the set is small, so this is what is learned from."""
import math

import torch
from torch.nn import functional as F


def uniform(n, low, high):
    return torch.empty(n).uniform_(low, high)


def cut(x, size, smallest=0.35, tilt=25.0):
    """Cuts a turned, mirrored and stretched piece out of every photo, in size × size pixels."""
    n, _, height, width = x.shape
    area = uniform(n, smallest, 1.0) * width * height
    aspect = torch.exp(uniform(n, math.log(3 / 4), math.log(4 / 3)))
    w, h = torch.sqrt(area * aspect), torch.sqrt(area / aspect)
    angle = torch.deg2rad(torch.randint(4, (n,)) * 90.0 + uniform(n, -tilt, tilt))
    cx = uniform(n, -0.5, 0.5) * (width - w).clamp(min=0)
    cy = uniform(n, -0.5, 0.5) * (height - h).clamp(min=0)
    w = w * (torch.randint(2, (n,)) * 2 - 1)  # mirrored; with the turns that is every way
    sin, cos = torch.sin(angle), torch.cos(angle)
    theta = torch.stack((
        torch.stack((cos * w / width, -sin * h / width, 2 * cx / width), 1),
        torch.stack((sin * w / height, cos * h / height, 2 * cy / height), 1)), 1)
    grid = F.affine_grid(theta, (n, 3, size, size), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def recolor(x):
    """Changes brightness, contrast, saturation and the light's color. Photos are −1 to 1."""
    n = len(x)

    def factor(spread):
        return uniform(n, 1 - spread, 1 + spread)[:, None, None, None]

    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * factor(0.4)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * factor(0.35)
    light = torch.empty(n, 3, 1, 1).uniform_(0.92, 1.08)
    return ((x + 1) * light * factor(0.3) - 1).clamp(-1, 1)


def erase(x, share=0.25):
    """Hides a rectangle of some photos."""
    size = x.shape[-1]
    for i in torch.nonzero(torch.rand(len(x)) < share)[:, 0].tolist():
        w, h = (int(size * uniform(1, 0.15, 0.45)) for _ in "wh")
        left, top = (int(uniform(1, 0, size - side)) for side in (w, h))
        x[i, :, top:top + h, left:left + w] = uniform(3, -1, 1)[:, None, None]
    return x


def mix(x, y):
    """Lays the batch over itself: a piece of another photo, or the whole of it, shining through."""
    dice, other = float(torch.rand(1)), torch.randperm(len(x))
    if dice < 0.4:
        size = x.shape[-1]
        side = math.sqrt(float(uniform(1, 0, 1))) * size
        cx, cy = (float(uniform(1, 0, size)) for _ in "xy")
        left, right = (int(min(max(cx + d * side / 2, 0), size)) for d in (-1, 1))
        top, bottom = (int(min(max(cy + d * side / 2, 0), size)) for d in (-1, 1))
        x = x.clone()
        x[:, :, top:bottom, left:right] = x[other][:, :, top:bottom, left:right]
        keep = 1 - (right - left) * (bottom - top) / size ** 2
    elif dice < 0.7:
        keep = float(torch.distributions.Beta(0.4, 0.4).sample())
        x = keep * x + (1 - keep) * x[other]
    else:
        return x, y
    return x, keep * y + (1 - keep) * y[other]
