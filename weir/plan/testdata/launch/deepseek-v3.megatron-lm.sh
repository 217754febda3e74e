#!/bin/bash
# deepseek-v3 on 2048 chips: pp 16, dp 128, ep 64, micro-batch 1, zero 1, selective recompute.
# Option names of megatron-lm core 0.16 (development).
# Give data, tokenizer, learning rate and checkpoints as arguments of this script, and what changes
# no time: base and scaling of rotary positions, epsilon of norms, scores and biases of a router.

export CUDA_DEVICE_MAX_CONNECTIONS=1

CHIPS_PER_NODE=8
NNODES=256
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
    --num-layers 61
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
    --position-embedding-type rope
    --attention-backend auto
    --num-experts 256
    --moe-router-topk 8
    --moe-ffn-hidden-size 2048
    --moe-shared-expert-intermediate-size 2048
    --moe-layer-freq '([0]*3+[1]*58)'
    --moe-grouped-gemm
    --moe-router-num-groups 8
    --moe-router-group-topk 4
    --moe-token-dispatcher-type flex
    --moe-flex-dispatcher-backend deepep
    --moe-router-dtype fp32
)

TRAINING_ARGS=(
    --seq-length 4096
    --max-position-embeddings 4096
    --micro-batch-size 1
    --global-batch-size 15360
    --bf16
    --fp8-format hybrid
    --fp8-recipe tensorwise
    --recompute-granularity selective
    --recompute-modules layernorm moe_act mla_up_proj
)

PARALLEL_ARGS=(
    --tensor-model-parallel-size 1
    --pipeline-model-parallel-size 16
    --pipeline-model-parallel-layout 'E,t*3|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*4|t*3|t*3,m,L'
    --context-parallel-size 1
    --expert-model-parallel-size 64
    --use-distributed-optimizer
    --overlap-grad-reduce
    --overlap-param-gather
)

torchrun "${DISTRIBUTED_ARGS[@]}" pretrain_gpt.py \
    "${MODEL_ARGS[@]}" \
    "${TRAINING_ARGS[@]}" \
    "${PARALLEL_ARGS[@]}" \
    "$@"
