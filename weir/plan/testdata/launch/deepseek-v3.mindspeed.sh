#!/bin/bash
# deepseek-v3 on 512 chips: tp 2, pp 8, dp 32, ep 32, micro-batch 1, zero 1, recompute of 4 layers, optimizer on the host, dualpipe.
# Option names of mindspeed 2.3 (development).
# Give data, tokenizer, learning rate and checkpoints as arguments of this script, and what changes
# no time: base and scaling of rotary positions, epsilon of norms, scores and biases of a router.

export CUDA_DEVICE_MAX_CONNECTIONS=1

export HCCL_CONNECT_TIMEOUT=3600

CHIPS_PER_NODE=8
NNODES=64
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
    --use-mcore-models
    --num-layers 64
    --hidden-size 7168
    --ffn-hidden-size 18432
    --num-attention-heads 128
    --multi-latent-attention
    --q-lora-rank 1536
    --kv-lora-rank 512
    --qk-head-dim 128
    --qk-pos-emb-head-dim 64
    --v-head-dim 128
    --swiglu
    --normalization RMSNorm
    --disable-bias-linear
    --untie-embeddings-and-output-weights
    --vocab-size 129280
    --mtp-num-layers 1
    --make-vocab-size-divisible-by 1
    --position-embedding-type rope
    --use-fused-rotary-pos-emb
    --use-fused-rmsnorm
    --use-fused-swiglu
    --use-flash-attn
    --num-experts 256
    --moe-router-topk 8
    --moe-ffn-hidden-size 2048
    --moe-shared-expert-intermediate-size 2048
    --first-k-dense-replace 3
    --moe-layer-freq 1
    --moe-grouped-gemm
    --moe-router-num-groups 8
    --moe-router-group-topk 4
    --moe-permutation-async-comm
    --moe-token-dispatcher-type alltoall
)

TRAINING_ARGS=(
    --seq-length 4096
    --max-position-embeddings 4096
    --micro-batch-size 1
    --global-batch-size 15360
    --transformer-impl local
    --bf16
    --recompute-granularity full
    --recompute-method block
    --recompute-num-layers 4
    --distributed-backend nccl
)

PARALLEL_ARGS=(
    --tensor-model-parallel-size 2
    --sequence-parallel
    --pipeline-model-parallel-size 8
    --noop-layers 61,62,63
    --schedules-method dualpipev
    --moe-fb-overlap
    --context-parallel-size 1
    --expert-model-parallel-size 32
    --expert-tensor-parallel-size 1
    --use-distributed-optimizer
    --swap-optimizer
)

torchrun "${DISTRIBUTED_ARGS[@]}" pretrain_gpt.py \
    "${MODEL_ARGS[@]}" \
    "${TRAINING_ARGS[@]}" \
    "${PARALLEL_ARGS[@]}" \
    "$@"
