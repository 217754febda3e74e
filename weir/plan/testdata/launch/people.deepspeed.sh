CONFIG_JSON="conf/ds_config.json"
ZERO_STAGE=${ZERO_STAGE:-1}
if [[ ! $ZERO_STAGE =~ ^[1-3]$ ]]; then
    exit 1
fi
DTYPE="bf16"
TP=${TP:-2}
PP=${PP:-2}
DP=${DP:-4}
SP=${SP:-1}
WORLD_SIZE=$((TP*PP*DP*SP))
MICRO_BATCH=${MICRO_BATCH:-4}
GLOBAL_BATCH=$((MICRO_BATCH*DP*8))
while [[ $# -gt 0 ]]
do
    shift
done
options=" \
    --tensor-model-parallel-size $TP \
    --pipeline-model-parallel-size $PP \
    --ds-sequence-parallel-size $SP \
    --num-layers 24 \
    --hidden-size 1024 \
    --num-attention-heads 16 \
    --seq-length 1024 \
    --max-position-embeddings 1024 \
    --micro-batch-size $MICRO_BATCH \
    --global-batch-size $GLOBAL_BATCH \
    --train-iters 1000 \
    --data-path ${DATASET} \
    --vocab-file gpt2-vocab.json \
    --merge-file gpt2-merges.txt \
    --${DTYPE} \
    --checkpoint-activations \
    "
options="${options} \
    --deepspeed \
    --deepspeed_config=${CONFIG_JSON} \
    --zero-stage=${ZERO_STAGE} \
    --deepspeed-activation-checkpointing \
"
if [[ ${ZERO_STAGE} -gt 1 ]]; then
    options="${options} --no-pipeline-parallel"
fi
cat <<EOT > $CONFIG_JSON
{
  "train_batch_size" : $GLOBAL_BATCH,
  "train_micro_batch_size_per_gpu": $MICRO_BATCH,
  "zero_optimization": { "stage": $ZERO_STAGE, "reduce_bucket_size": 5e8 },
  "bf16": { "enabled": true },
  "data_types": { "grad_accum_dtype": "fp32" },
  "wall_clock_breakdown" : false,
  "surprise": 1
}
EOT
run_cmd="deepspeed --master_port 29700 --num_nodes 1 --num_gpus $WORLD_SIZE pretrain_gpt.py $@ ${options}"
eval ${run_cmd}
