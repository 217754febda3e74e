#!/bin/bash
# gpt3-175b on 1024 chips: tp 8, pp 16, dp 8, micro-batch 1, zero 1, selective recompute.
# Option names of deepspeed Megatron-DeepSpeed of 2024-12.
# Give data, tokenizer, learning rate and checkpoints as arguments of this script, and what changes
# no time: base and scaling of rotary positions, epsilon of norms, scores and biases of a router.

export CUDA_DEVICE_MAX_CONNECTIONS=1

CHIPS_PER_NODE=8
NNODES=128

cat > ds_config.json <<'EOF'
{
  "train_batch_size": 1536,
  "train_micro_batch_size_per_gpu": 1,
  "gradient_accumulation_steps": 192,
  "zero_optimization": {
    "overlap_comm": true,
    "stage": 1
  },
  "fp16": {"enabled": true},
  "data_types": {"grad_accum_dtype": "fp32"}
}
EOF

MODEL_ARGS=(
    --num-layers 96
    --hidden-size 12288
    --ffn-hidden-size 49152
    --num-attention-heads 96
    --kv-channels 128
    --vocab-size 50257
    --use-flash-attn-v2
)

TRAINING_ARGS=(
    --seq-length 2048
    --max-position-embeddings 2048
    --micro-batch-size 1
    --global-batch-size 1536
    --train-iters 95368
    --fp16
    --recompute-granularity selective
)

PARALLEL_ARGS=(
    --tensor-model-parallel-size 8
    --sequence-parallel
    --pipeline-model-parallel-size 16
    --deepspeed
    --deepspeed_config ds_config.json
    --zero-stage 1
)

deepspeed --num_nodes $NNODES --num_gpus $CHIPS_PER_NODE pretrain_gpt.py \
    "${MODEL_ARGS[@]}" \
    "${TRAINING_ARGS[@]}" \
    "${PARALLEL_ARGS[@]}" \
    "$@"
