#!/usr/bin/python3
"""Trains a small GPT, data-parallel, on as many ranks as it is started with.

Nothing in here knows weir: it reads RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as every PyTorch
program does (init_method env://), so the same file runs under torchrun or on a thousand chips. It
runs on CPUs over gloo. Each rank draws its own batches; DistributedDataParallel averages the
gradients. Rank 0 writes OUT_DIR/gpt/{loss.csv,checkpoint.pt,result.txt}; a second attempt resumes
from the checkpoint. Ends with 1 when the loss did not fall.
"""
import csv
import math
import os
import random
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

CONTEXT = 64      # characters the model looks back
WIDTH = 96
HEADS = 4
LAYERS = 3
BATCH = 24        # sequences per rank and step
STEPS = 240
CHECKPOINT_EVERY = 80


def chronicle(characters, seed=7):
    """Endless small news from a river: enough grammar to learn, no text of anybody's."""
    draw = random.Random(seed)
    places = ["the upper field", "the rice field", "the mill", "the orchard", "the lower field"]
    people = ["the miller", "the gatekeeper", "the farmer", "the surveyor"]
    parts, length = [], 0
    while length < characters:
        gates, hours = draw.randint(1, 9), draw.randint(2, 24)
        line = draw.choice([
            f"{draw.choice(people)} opened {gates} gates for {hours} hours, and "
            f"{draw.choice(places)} had water.\n",
            f"the river rose; {draw.choice(people)} lent {gates} gates to {draw.choice(places)}.\n",
            f"no rain for {hours} hours, so {draw.choice(places)} waited for {draw.choice(places)}.\n",
            f"{draw.choice(places)} was full, and the weir let the rest run to {draw.choice(places)}.\n",
        ])
        parts.append(line)
        length += len(line)
    return "".join(parts)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_in, self.norm_out = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.feed = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        batch, length, _ = x.shape
        split = lambda t: t.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)
        query, key, value = map(split, self.qkv(self.norm_in(x)).chunk(3, dim=-1))
        score = query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        seen = score.masked_fill(future, float("-inf")).softmax(dim=-1) @ value
        x = x + self.mix(seen.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.feed(self.norm_out(x))


class Gpt(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.token, self.place = nn.Embedding(symbols, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, symbols)

    def forward(self, tokens):
        x = self.token(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def sample(model, tokens, count):
    model.eval()
    with torch.no_grad():
        for _ in range(count):
            odds = functional.softmax(model(tokens[:, -CONTEXT:])[:, -1] / 0.5, dim=-1)
            tokens = torch.cat([tokens, torch.multinomial(odds, 1)], dim=1)
    return tokens[0]


def save(path, state):
    """Whole or not at all: a crash while writing leaves the older checkpoint."""
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


def main():
    dist.init_process_group("gloo", init_method="env://")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    out = os.path.join(os.environ.get("OUT_DIR", "out"), "gpt")
    os.makedirs(out, exist_ok=True)
    checkpoint = os.path.join(out, "checkpoint.pt")

    text = chronicle(200_000)
    alphabet = sorted(set(text))
    data = torch.tensor([alphabet.index(c) for c in text])

    torch.manual_seed(1)  # the same first weights on every rank
    model = Gpt(len(alphabet))
    parallel = DistributedDataParallel(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1.5e-3)
    first_step, losses = 0, []
    if int(os.environ.get("WEIR_ATTEMPT", "1")) > 1 and os.path.exists(checkpoint):
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first_step, losses = state["step"], state["losses"]
        if rank == 0:
            print(f"resumed after step {first_step}", flush=True)
    if rank == 0:
        weights = sum(p.numel() for p in model.parameters())
        print(f"{weights:,} weights, {ranks} ranks, {len(text):,} characters, "
              f"{STEPS} steps of {ranks * BATCH} x {CONTEXT}", flush=True)

    began = time.monotonic()
    for step in range(first_step, STEPS):
        # Each rank and step draws its own part of the text, the same in every run.
        draw = torch.Generator().manual_seed(1000 * step + rank)
        starts = torch.randint(len(data) - CONTEXT - 1, (BATCH,), generator=draw)
        window = torch.stack([data[s:s + CONTEXT + 1] for s in starts.tolist()])
        logits = parallel(window[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

        mean = loss.detach().clone()
        dist.all_reduce(mean)
        losses.append((step + 1, mean.item() / ranks))
        if rank == 0 and ((step + 1) % 40 == 0 or step == 0):
            print(f"step {step + 1:4d}  loss {losses[-1][1]:.4f}", flush=True)
        if rank == 0 and (step + 1) % CHECKPOINT_EVERY == 0:
            save(checkpoint, {"model": model.state_dict(), "optimiser": optimiser.state_dict(),
                              "step": step + 1, "losses": losses, "alphabet": alphabet})
    seconds = time.monotonic() - began

    first, last = losses[0][1], losses[-1][1]
    if rank == 0:
        with open(os.path.join(out, "loss.csv"), "w", newline="") as file:
            csv.writer(file).writerows([("step", "loss")] + losses)
        rate = (STEPS - first_step) * ranks * BATCH * CONTEXT / max(seconds, 1e-9)
        result = (f"ranks={ranks}\nfirst_loss={first:.4f}\nlast_loss={last:.4f}\n"
                  f"tokens_per_s={rate:.0f}\n")
        with open(os.path.join(out, "result.txt"), "w") as file:
            file.write(result)
        print(result, end="")
        torch.manual_seed(2)
        start = torch.tensor([[alphabet.index("\n")]])
        print("it now writes:", "".join(alphabet[i] for i in sample(model, start, 160).tolist()))
        print(f"loss {first:.2f} to {last:.2f} on {ranks} ranks, {rate:,.0f} tokens/s")
    dist.barrier()
    return 0 if last < first else 1


if __name__ == "__main__":
    sys.exit(main())
