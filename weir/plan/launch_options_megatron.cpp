// The options of Megatron-LM's pretrain_gpt.py.
#include "weir/plan/launch_options.hpp"

namespace weir::plan {

const OptionList megatron_options{
    .version = "core 0.16 (development)",
    .source =
        "NVIDIA/Megatron-LM: megatron/training/arguments.py at "
        "4393d2b91020072e80325d717c1a3f56eeafeb64; config/training_config.py at "
        "008e9cdb53e75bbf9733d0089a5c9bf14553ca1c; config/common_config.py at "
        "058300773c2bc1681e0339c098ca76b88749d773",
    .plan = R"(
        --num-layers --encoder-num-layers --hidden-size --ffn-hidden-size --num-attention-heads
        --kv-channels --group-query-attention --num-query-groups --window-size
        --window-attn-skip-freq --max-position-embeddings --position-embedding-type
        --use-rotary-position-embeddings --normalization --swiglu --quick-geglu
        --untie-embeddings-and-output-weights --multi-latent-attention --mtp-num-layers
        --q-lora-rank --kv-lora-rank --qk-head-dim --qk-pos-emb-head-dim --v-head-dim
        --disable-bias-linear --add-qkv-bias --vocab-size --padded-vocab-size --qk-layernorm
        --num-experts --moe-layer-freq --moe-ffn-hidden-size
        --moe-shared-expert-intermediate-size --moe-router-topk --moe-grouped-gemm
        --moe-token-dispatcher-type --moe-flex-dispatcher-backend --moe-enable-deepep
        --moe-router-num-groups --moe-router-group-topk --moe-router-dtype --seq-length
        --encoder-seq-length --micro-batch-size --global-batch-size --train-iters --train-samples --tensor-model-parallel-size
        --pipeline-model-parallel-size --pipeline-model-parallel-layout
        --num-layers-per-virtual-pipeline-stage --num-virtual-stages-per-pipeline-rank
        --account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split
        --no-overlap-p2p-communication --context-parallel-size --cp-comm-type
        --expert-model-parallel-size --expert-tensor-parallel-size --sequence-parallel
        --use-distributed-optimizer --num-distributed-optimizer-instances --use-megatron-fsdp
        --use-torch-fsdp2 --torch-fsdp2-no-reshard-after-forward
        --data-parallel-sharding-strategy --no-gradient-accumulation-fusion --ckpt-format
        --overlap-grad-reduce --overlap-param-gather --tp-comm-overlap
        --overlap-moe-expert-parallel-comm --recompute-activations --recompute-granularity
        --recompute-method --recompute-num-layers --recompute-modules
        --cpu-offloading-num-layers --optimizer-cpu-offload --optimizer-offload-fraction
        --use-precision-aware-optimizer --fp16 --bf16 --fp8-format --fp8-recipe --fp4-format
        --grad-reduce-in-bf16 --accumulate-allreduce-grads-in-fp32 --attention-backend
        --use-flash-attn --transformer-impl --vocab-file --merge-file --tokenizer-type
    )",
    .weight = R"(
        --decoder-first-pipeline-num-layers --decoder-last-pipeline-num-layers
        --heterogeneous-layers-config-path --heterogeneous-layers-config-encoded-json
        --hybrid-attention-ratio --hybrid-mlp-ratio --hybrid-override-pattern --is-hybrid-model
        --moe-latent-size --squared-relu --softmax-type --apply-layernorm-1p --qk-l2-norm
        --rampup-batch-size --step-batch-size-schedule --hierarchical-context-parallel-sizes
        --microbatch-group-size-per-virtual-pipeline-stage --overlap-p2p-communication-warmup-flush
        --defer-embedding-wgrad-compute --ddp-num-buckets --ddp-bucket-size
        --ddp-reduce-scatter-with-fp32-accumulation --overlap-param-gather-with-optimizer-step
        --no-align-param-gather --no-scatter-gather-tensors-in-pipeline --use-ring-exchange-p2p
        --fsdp-double-buffer --enable-full-sharding-in-hsdp --distribute-saved-activations
        --tp-comm-overlap-cfg --disable-tp-comm-overlap-ag --disable-tp-comm-overlap-rs
        --tp-comm-overlap-rs-dgrad --disable-tp-comm-bulk-dgrad --disable-tp-comm-bulk-wgrad
        --disable-tp-comm-split-ag --disable-tp-comm-split-rs --no-masked-softmax-fusion
        --no-bias-gelu-fusion --no-bias-swiglu-fusion --no-bias-dropout-fusion --no-rope-fusion
        --cross-entropy-loss-fusion --cross-entropy-fusion-impl --overlap-cpu-optimizer-d2h-h2d
        --fp32-residual-connection --fp8-param-gather --first-last-layers-bf16
        --num-layers-at-start-in-bf16 --num-layers-at-end-in-bf16 --no-fp8-wgrad --fp4-recipe
        --fp4-param-gather --keep-fp8-transpose-cache --reuse-grad-buf-for-mxfp8-param-ag
        --enable-cuda-graph --external-cuda-graph --cuda-graph-impl --cuda-graph-scope
        --moe-shared-expert-overlap --moe-use-legacy-grouped-gemm --moe-layer-recompute
        --moe-expert-capacity-factor --moe-pad-expert-input-to-capacity
        --moe-deepep-num-sms --moe-hybridep-num-sms
        --moe-permute-fusion --moe-router-fusion --delay-wgrad-compute --main-grads-dtype
        --main-params-dtype --exp-avg-dtype --exp-avg-sq-dtype --use-tp-pp-dp-mapping --use-sharp
        --use-nccl-ub --optimizer --use-legacy-models --deterministic-mode --reset-attention-mask
        --retro-add-retriever --use-te-activation-func --moe-extended-tp
    )",
    .neither = R"(
        --use-mcore-models --decoder-num-layers --relative-attention-num-buckets
        --relative-attention-max-distance --rotary-base --rotary-percent --rotary-interleaved
        --rotary-seq-len-interpolation-factor --use-rope-scaling --rope-scaling-factor
        --no-rope-freq --rope-type --no-position-embedding --mrope-section
        --make-vocab-size-divisible-by --norm-epsilon
        --apply-residual-connection-post-layernorm --openai-gelu
        --activation-func-clamp-value --glu-linear-offset --onnx-safe --bert-no-binary-head
        --mtp-loss-scaling-factor --rotary-scaling-factor --mscale --mscale-all-dim
        --cache-mla-latents --log-straggler --disable-straggler-on-startup
        --straggler-ctrlr-port --straggler-minmax-count --run-workload-inspector-server
        --inprocess-restart --inprocess-max-iterations --inprocess-monitor-thread-interval
        --inprocess-monitor-process-interval --inprocess-progress-watchdog-interval
        --inprocess-heartbeat-interval --inprocess-soft-timeout --inprocess-hard-timeout
        --inprocess-heartbeat-timeout --inprocess-barrier-timeout
        --inprocess-completion-timeout --inprocess-last-call-wait
        --inprocess-termination-grace-time --inprocess-granularity
        --inprocess-active-world-size --inprocess-empty-cuda-cache --no-one-logger
        --one-logger-project --one-logger-run-name --one-logger-async --app-tag-run-name
        --app-tag-run-version --enable-ft-package --calc-ft-timeouts --config-logger-dir
        --log-params-norm --log-num-zeros-in-grad --log-throughput --log-progress
        --timing-log-level --log-energy --no-barrier-with-level-1-timing --timing-log-option
        --tensorboard-log-interval --tensorboard-queue-size --log-timers-to-tensorboard
        --no-log-loss-scale-to-tensorboard --log-validation-ppl-to-tensorboard
        --log-memory-to-tensorboard --log-world-size-to-tensorboard --log-max-attention-logit
        --wandb-project --wandb-entity --wandb-exp-name --wandb-save-dir --logging-level
        --attention-dropout --hidden-dropout --weight-decay --start-weight-decay
        --end-weight-decay --weight-decay-incr-style --clip-grad --adam-beta1 --adam-beta2
        --adam-eps --sgd-momentum --batch-size --no-check-for-nan-in-loss-and-grad
        --check-for-spiky-loss --check-for-large-grads --no-clone-scatter-output-in-embedding
        --profile --profile-step-start --profile-step-end --result-rejected-tracker-filename
        --disable-gloo-process-groups --use-pytorch-profiler --profile-ranks
        --record-memory-history --memory-snapshot-path --tp-comm-bootstrap-backend
        --use-cpu-initialization --calculate-per-token-loss --checkpoint-activations
        --log-interval --tensorboard-dir --use-fused-weighted-squared-relu --qk-clip
        --qk-clip-alpha --qk-clip-threshold --use-torch-optimizer-for-cpu-offload
        --dump-param-to-param-group-map --no-pin-cpu-grads --no-pin-cpu-params
        --dataloader-type --no-async-tensor-model-parallel-allreduce --no-persist-layer-norm
        --pipeline-model-parallel-comm-backend --error-injection-rate --error-injection-type
        --rerun-mode --seed --data-parallel-random-init --init-method-std
        --embedding-init-method-std --init-method-xavier-uniform --lr --lr-decay-style
        --lr-wsd-decay-style --lr-decay-iters --lr-decay-samples --lr-wsd-decay-samples
        --lr-wsd-decay-iters --lr-warmup-fraction --lr-warmup-iters --lr-warmup-samples
        --lr-warmup-init --warmup --min-lr --override-opt_param-scheduler
        --override-opt-param-scheduler --use-checkpoint-opt_param-scheduler
        --use-checkpoint-opt-param-scheduler --decoupled-lr --decoupled-min-lr --save
        --save-interval --persistent-save-interval --save-retain-interval --no-save-optim
        --no-save-rng --load --no-load-optim --load-main-params-from-ckpt --no-load-rng
        --no-strict-fsdp-dtensor-load --non-persistent-save-interval
        --non-persistent-ckpt-type --non-persistent-global-ckpt-dir
        --non-persistent-local-ckpt-dir --non-persistent-local-ckpt-algo --finetune
        --pretrained-checkpoint --ckpt-step --no-initialization --use-checkpoint-args
        --use-mp-args-from-checkpoint-args --no-use-tokenizer-model-from-checkpoint-args
        --exit-on-missing-checkpoint --use-dist-ckpt --use-persistent-ckpt-worker
        --auto-detect-ckpt-format --dist-ckpt-format --ckpt-convert-format
        --ckpt-convert-save --ckpt-convert-update-legacy-dist-opt-format
        --ckpt-fully-parallel-save --no-ckpt-fully-parallel-save --async-save
        --ckpt-fully-parallel-load --ckpt-assume-constant-structure --dist-ckpt-strictness
        --dist-ckpt-save-pre-mcore-014 --dist-ckpt-optim-fully-reshardable
        --distrib-optim-fully-reshardable-mem-efficient --loss-scale --initial-loss-scale
        --min-loss-scale --loss-scale-window --hysteresis --apply-query-key-layer-scaling
        --attention-softmax-in-fp32 --fp16-lm-cross-entropy
        --disable-bf16-reduced-precision-matmul --model-parallel-size --wgrad-deferral-limit
        --ddp-pad-buckets-for-high-nccl-busbw --ddp-average-in-collective
        --disable-symmetric-registration --init-model-with-meta-device
        --no-gradient-reduce-div-fusion --suggested-communication-unit-size --replication
        --replication-jump --replication-factor --fake-process-group --vocab-extra-ids
        --tokenizer-model --tokenizer-metadata --tokenizer-special-tokens --legacy-tokenizer
        --tiktoken-pattern --tiktoken-num-special-tokens --tiktoken-special-tokens
        --tokenizer-sentencepiece-legacy --tokenizer-hf-use-fast
        --tokenizer-hf-include-special-tokens --trust-remote-code --data-path --split
        --train-data-path --valid-data-path --test-data-path --data-args-path
        --per-split-data-args-path --data-cache-path --no-mmap-bin-files --mock-data
        --decoder-seq-length --retriever-seq-length --sample-rate --mask-prob
        --short-seq-prob --num-workers --reset-position-ids --eod-mask-loss
        --no-create-attention-mask-in-dataloader --num-dataset-builder-threads
        --object-storage-cache-path --mid-level-dataset-surplus --allow-ambiguous-pad-tokens
        --adlr-autoresume --adlr-autoresume-interval --moe-use-upcycling
        --moe-upcycling-granularity --moe-router-load-balancing-type
        --moe-router-score-function --moe-router-pre-softmax --moe-router-topk-scaling-factor
        --moe-router-enable-expert-bias --moe-router-bias-update-rate
        --moe-router-force-load-balancing --moe-router-padding-for-quantization
        --moe-router-padding-for-fp8 --moe-aux-loss-coeff --moe-z-loss-coeff
        --moe-input-jitter-eps --moe-per-layer-logging --moe-token-drop-policy
        --moe-apply-probs-on-input --moe-pad-experts-for-cuda-graph-inference
        --enable-experimental --spec --yaml-cfg --disable-msc --kitchen-config-file
        --kitchen-recipe-number --sft --sft-tokenizer-prompt-format
        --fp8-quantizer-factory --fp8-margin --fp8-interval --fp8-amax-history-len
        --fp8-amax-compute-algo --fp4-quantizer-factory --te-rng-tracker
        --inference-rng-tracker --cuda-graph-warmup-steps --symmetric-ar-type
        --distributed-backend --distributed-timeout-minutes --no-align-grad-reduce
        --disable-align-grad-reduce --local-rank --lazy-mpu-init
        --nccl-communicator-config-path --sharp-enabled-group --high-priority-stream-groups
        --distributed-timeout-seconds-after-init --disable-jit-fuser
        --decrease-batch-size-if-needed --empty-unused-memory-level
        --check-weight-hash-across-dp-replicas-interval --train-sync-interval
        --exit-interval --exit-duration-in-mins --exit-signal-handler --exit-signal
        --exit-signal-handler-for-dataloader --exit-signal-handler-for-training --manual-gc
        --manual-gc-interval --no-manual-gc-eval --disable-manual-gc-eval
        --iterations-to-skip --eval-iters --eval-interval --skip-train --test-mode
        --full-validation --multiple-validation-sets --fim-data --fim-rate --fim-spm-rate
        --fim-split-sample --fim-fragment-rate --fim-no-prefix --fim-prefix-token
        --fim-middle-token --fim-suffix-token --fim-pad-token --fim-eod-token
    )",
};

}  // namespace weir::plan
