#!/bin/bash
# weir starts this once on each node, with the plan that it chose in the environment.
set -euf   # f: words of the plan such as t*10 are no file names
exec torchrun --nproc_per_node "$WEIR_CHIPS_PER_NODE" --nnodes "$WORLD_SIZE" --node_rank "$RANK" \
    --master_addr "$MASTER_ADDR" --master_port "$MASTER_PORT" \
    pretrain_gpt.py $WEIR_LAUNCH_ARGS "$@"
