export HCCL_CONNECT_TIMEOUT=3600
NPUS_PER_NODE=16
NNODES=32
TP=2
PP=8
EP=16
CP_TYPE='ulysses_cp_algo'
DISTRIBUTED_ARGS="
    --nproc_per_node $NPUS_PER_NODE \
    --nnodes $NNODES
"
MLA_ARGS="
    --multi-head-latent-attention \
    --qk-rope-head-dim 64 \
    --qk-nope-head-dim 128 \
    --q-lora-rank 1536 \
    --kv-lora-rank 512 \
    --v-head-dim 128 \
"
MOE_ARGS="
    --moe-token-dispatcher-type alltoall_seq \
    --first-k-dense-replace 3 \
    --moe-layer-freq 1 \
    --n-shared-experts 1 \
    --num-experts 256 \
    --moe-router-topk 8 \
    --n-group 8 \
    --topk-group 4 \
    --moe-intermediate-size 2048 \
    --moe-tp-extend-ep \
    --norm-topk-prob \
"
GPT_ARGS="
    --noop-layers 61,62,63 \
    --use-distributed-optimizer \
    --use-flash-attn \
    --use-mcore-models \
    --tensor-model-parallel-size ${TP} \
    --pipeline-model-parallel-size ${PP} \
    --expert-model-parallel-size ${EP} \
    --sequence-parallel \
    --context-parallel-size 1 \
    --context-parallel-algo ${CP_TYPE} \
    --num-layers 64 \
    --hidden-size 7168 \
    --ffn-hidden-size 18432 \
    --num-attention-heads 128 \
    --seq-length 4096 \
    --max-position-embeddings 163840 \
    --micro-batch-size 1 \
    --global-batch-size 3840 \
    --untie-embeddings-and-output-weights \
    --disable-bias-linear \
    --position-embedding-type rope \
    --normalization RMSNorm \
    --swiglu \
    --vocab-size 129280 \
    --bf16 \
    --swap-optimizer \
    --recompute-granularity full \
    --recompute-method block \
    --recompute-num-layers 8 \
    --moe-fb-overlap \
    --schedules-method dualpipev \
    --mtp-num-layers 1
"
python -m torch.distributed.launch $DISTRIBUTED_ARGS pretrain_gpt.py \
    $GPT_ARGS $MLA_ARGS $MOE_ARGS \
    --distributed-backend nccl | tee logs/pretrain.log
