#!/bin/bash
#SBATCH --nodes=4
export CUDA_DEVICE_MAX_CONNECTIONS=${CUDA_DEVICE_MAX_CONNECTIONS:-1}
CHECKPOINTS=${1:-"checkpoints/8b"}
mkdir -p "$(dirname "$CHECKPOINTS")"

GPUS_PER_NODE=8
NUM_NODES=$SLURM_NNODES
WORLD_SIZE=$(($GPUS_PER_NODE*$NUM_NODES))
TP=2; CP=2
SEQ=8192
KIND="fp8"

LAUNCHER=(
    --nproc_per_node=$GPUS_PER_NODE
    --nnodes $NUM_NODES
    --rdzv_endpoint ${MASTER_ADDR:-localhost}:6000
)
MODEL_ARGS=(
    --num-layers 32
    --hidden-size 4096
    --ffn-hidden-size 14336
    --num-attention-heads 32
    --group-query-attention
    --num-query-groups 8
    --seq-length $SEQ
    --max-position-embeddings $SEQ
    --position-embedding-type rope
    --swiglu
    --normalization RMSNorm
    --untie-embeddings-and-output-weights
    --disable-bias-linear
    --attention-backend fused # or flash
)
TRAINING_ARGS=(
    --micro-batch-size 1
    --global-batch-size 128
    --train-samples 1000000
    --lr 0.00015
    --adam-beta1 0.9
    --bf16
    --grad-reduce-in-bf16
    --cross-entropy-loss-fusion
    --recompute-activations
)
PRECISION=()
if [[ "$KIND" == "fp8" ]]; then
    PRECISION+=(
        "--fp8-format hybrid"
        "--fp8-amax-history-len 1024"
    )
fi
DDP=(--use-distributed-optimizer --overlap-grad-reduce --overlap-param-gather)
TRAINING_ARGS+=("${DDP[@]}")
DATA=()
if [[ "$TOKENIZER" == "MOCK" ]] || [[ -z "$TOKENIZER" ]]; then
    DATA+=("--mock-data" "--tokenizer-type NullTokenizer" "--vocab-size 128256")
else
    DATA+=("--tokenizer-model $TOKENIZER")
fi
if [ ! -f pretrain_gpt.py ]; then
    echo "not here"
    exit 1
fi
torchrun ${LAUNCHER[@]} pretrain_gpt.py \
    ${MODEL_ARGS[@]} \
    ${TRAINING_ARGS[@]} \
    ${PRECISION[@]} \
    --tensor-model-parallel-size $TP \
    --context-parallel-size=$CP \
    --sequence-parallel \
    ${DATA[@]} \
    --save "$CHECKPOINTS" 2>&1 | tee log.txt
