#!/bin/bash
# llama-2-7b on 64 chips: dp 64, micro-batch 2, zero 3, full recompute.
# Option names of deepspeed Megatron-DeepSpeed of 2024-12.
# Give data, tokenizer, learning rate and checkpoints as arguments of this script, and what changes
# no time: base and scaling of rotary positions, epsilon of norms, scores and biases of a router.

CHIPS_PER_NODE=8
NNODES=8

cat > ds_config.json <<'EOF'
{
  "train_batch_size": 512,
  "train_micro_batch_size_per_gpu": 2,
  "gradient_accumulation_steps": 4,
  "zero_optimization": {
    "overlap_comm": true,
    "stage": 3
  },
  "bf16": {"enabled": true},
  "data_types": {"grad_accum_dtype": "fp32"},
  "activation_checkpointing": {"partition_activations": false, "cpu_checkpointing": false}
}
EOF

MODEL_ARGS=(
    --num-layers 32
    --hidden-size 4096
    --ffn-hidden-size 11008
    --num-attention-heads 32
    --kv-channels 128
    --use-rotary-position-embeddings
    --swiglu
    --normalization rmsnorm
    --disable-bias-linear
    --untie-embeddings-and-output-weights
    --vocab-size 32000
    --use-flash-attn-v2
)

TRAINING_ARGS=(
    --seq-length 4096
    --max-position-embeddings 4096
    --micro-batch-size 2
    --global-batch-size 512
    --bf16
    --checkpoint-activations
    --deepspeed-activation-checkpointing
)

PARALLEL_ARGS=(
    --tensor-model-parallel-size 1
    --pipeline-model-parallel-size 1
    --no-pipeline-parallel
    --deepspeed
    --deepspeed_config ds_config.json
    --zero-stage 3
)

deepspeed --num_nodes $NNODES --num_gpus $CHIPS_PER_NODE pretrain_gpt.py \
    "${MODEL_ARGS[@]}" \
    "${TRAINING_ARGS[@]}" \
    "${PARALLEL_ARGS[@]}" \
    "$@"
