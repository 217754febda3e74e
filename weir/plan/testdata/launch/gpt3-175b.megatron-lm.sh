#!/bin/bash
# gpt3-175b on 1024 chips: tp 8, pp 16, vpp 3, dp 8, micro-batch 1, zero 1, selective recompute.
# Option names of megatron-lm core 0.16 (development).
# Give data, tokenizer, learning rate and checkpoints as arguments of this script, and what changes
# no time: base and scaling of rotary positions, epsilon of norms, scores and biases of a router.

export CUDA_DEVICE_MAX_CONNECTIONS=1

CHIPS_PER_NODE=8
NNODES=128
NODE_RANK=${NODE_RANK:-0}
MASTER_ADDR=${MASTER_ADDR:-localhost}
MASTER_PORT=${MASTER_PORT:-6000}

DISTRIBUTED_ARGS=(
    --nproc_per_node $CHIPS_PER_NODE
    --nnodes $NNODES
    --node_rank $NODE_RANK
    --master_addr $MASTER_ADDR
    --master_port $MASTER_PORT
)

MODEL_ARGS=(
    --num-layers 96
    --hidden-size 12288
    --ffn-hidden-size 49152
    --num-attention-heads 96
    --kv-channels 128
    --vocab-size 50257
    --position-embedding-type learned_absolute
    --attention-backend auto
)

TRAINING_ARGS=(
    --seq-length 2048
    --max-position-embeddings 2048
    --micro-batch-size 1
    --global-batch-size 1536
    --train-iters 95368
    --bf16
    --recompute-granularity selective
    --recompute-modules core_attn
)

PARALLEL_ARGS=(
    --tensor-model-parallel-size 8
    --sequence-parallel
    --tp-comm-overlap
    --pipeline-model-parallel-size 16
    --num-layers-per-virtual-pipeline-stage 2
    --context-parallel-size 1
    --use-distributed-optimizer
    --overlap-grad-reduce
    --overlap-param-gather
)

torchrun "${DISTRIBUTED_ARGS[@]}" pretrain_gpt.py \
    "${MODEL_ARGS[@]}" \
    "${TRAINING_ARGS[@]}" \
    "${PARALLEL_ARGS[@]}" \
    "$@"
