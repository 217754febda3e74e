// The options of DeepSpeed: the arguments of Megatron-DeepSpeed's pretrain_gpt.py and the keys of
// the JSON that DeepSpeed itself reads.
#include "weir/plan/launch_options.hpp"

namespace weir::plan {

const OptionList deepspeed_options{
    .version = "Megatron-DeepSpeed of 2024-12",
    .source =
        "deepspeedai/Megatron-DeepSpeed: megatron/arguments.py at "
        "207b2d5aad1eea98464c37e0b991be6f8937226f; examples_deepspeed/ at "
        "d71f2ad7f1a71ebb12cfecb14c455cf192180dbf",
    .plan = R"(
        --num-layers --encoder-num-layers --hidden-size --ffn-hidden-size
        --num-attention-heads --num-key-value-heads --kv-channels --max-position-embeddings
        --use-rotary-position-embeddings --normalization --swiglu
        --untie-embeddings-and-output-weights --disable-bias-linear --vocab-size
        --num-experts --topk --expert-interval --mlp-type --moe-expert-parallel-size
        --enable-expert-tensor-parallelism --create-moe-param-group --seq-length
        --encoder-seq-length --micro-batch-size --global-batch-size --train-iters
        --train-samples --train-tokens --tensor-model-parallel-size
        --pipeline-model-parallel-size --no-pipeline-parallel --ds-sequence-parallel-size
        --sequence-parallel --zero-stage --deepspeed --deepspeed_config
        --deepspeed-activation-checkpointing --checkpoint-activations
        --checkpoint-num-layers --recompute-activations --recompute-granularity
        --recompute-method --recompute-num-layers --cpu-optimizer --fp16 --bf16
        --enable-zbh1-pipeline --use-flash-attn --use-flash-attn-v1 --use-flash-attn-v2
        --use-flash-attn-triton --use-flash-attn-builder
        --accumulate-allreduce-grads-in-fp32 --tokenizer-type --vocab-file --merge-file
    )",
    .weight = R"(
        --num-layers-per-virtual-pipeline-stage --overlap-p2p-communication
        --use-distributed-optimizer --standalone-embedding-stage --rampup-batch-size
        --distribute-saved-activations --distribute-checkpointed-activations
        --partition-activations --contigious-checkpointing --checkpoint-in-cpu
        --synchronize-each-layer --scattered-embeddings --split-transformers
        --memory-centric-tiled-linear --tile-factor --no-masked-softmax-fusion
        --no-bias-gelu-fusion --no-bias-dropout-fusion --no-gradient-accumulation-fusion
        --moe-train-capacity-factor --moe-min-capacity --disable-moe-token-dropping
        --use-tutel --num-experts-switch --ds-sequence-parallel-fpdt
        --ds-sequence-parallel-fpdt-chunk-size --ds-sequence-parallel-fpdt-offloading
        --force-ds-sequence-parallel --enable-zbh1-exact-semantics --zero-reduce-scatter
        --zero-contigious-gradients --zero-reduce-bucket-size --zero-allgather-bucket-size
        --remote-device --use-pin-memory --DDP-impl --fp32-residual-connection
        --embedding-weights-in-fp32 --torch_adam --ds_fused_adam --random-ltd
        --squared-relu --optimizer --transformer-impl --fp8-e4m3 --fp8-hybrid
        --no-scatter-gather-tensors-in-pipeline --use-ring-exchange-p2p
    )",
    .neither = R"(
        --decoder-num-layers --rotary-position-embeddings-theta --rotary-percent
        --no-position-embedding --make-vocab-size-divisible-by --layernorm-epsilon
        --apply-layernorm-1p --disable-mem-efficient-ln
        --apply-residual-connection-post-layernorm --openai-gelu --onnx-safe
        --bert-no-binary-head --kill-switch-file --log-params-norm
        --log-num-zeros-in-grad --timing-log-level --no-barrier-with-level-1-timing
        --timing-log-option --tensorboard-log-interval --tensorboard-queue-size
        --log-timers-to-tensorboard --log-batch-size-to-tensorboard
        --no-log-learnig-rate-to-tensorboard --no-log-loss-scale-to-tensorboard
        --log-validation-ppl-to-tensorboard --log-optimizer-states-to-tensorboard
        --log-memory-to-tensorboard --log-world-size-to-tensorboard --wandb-project
        --wandb-exp-name --wandb-save-dir --attention-dropout --hidden-dropout
        --weight-decay --start-weight-decay --end-weight-decay
        --weight-decay-incr-style --clip-grad --adam-beta1 --adam-beta2 --adam-eps
        --sgd-momentum --batch-size --log-interval --exit-interval
        --exit-duration-in-mins --exit-signal-handler --tensorboard-dir
        --moe-eval-capacity-factor --moe-loss-coeff --disable-moe-top2-2nd-expert-sampling
        --dataloader-type --ds-inference --inference
        --no-async-tensor-model-parallel-allreduce --no-persist-layer-norm
        --use-dataset-only --seed --data-parallel-random-init --init-method-std
        --init-method-xavier-uniform --lr --lr-decay-style --lr-decay-iters
        --lr-decay-samples --lr-decay-tokens --lr-warmup-fraction --lr-warmup-iters
        --lr-warmup-samples --lr-warmup-tokens --warmup --min-lr --save --save-interval
        --load --no-save-optim --no-save-rng --no-load-optim --no-load-rng --finetune
        --use-checkpoint-args --universal-checkpoint --loss-scale --initial-loss-scale
        --min-loss-scale --loss-scale-window --hysteresis --no-query-key-layer-scaling
        --attention-softmax-in-fp32 --fp16-lm-cross-entropy
        --pipeline-model-parallel-split-rank --model-parallel-size --distributed-backend
        --distributed-timeout-minutes --no-contiguous-buffers-in-local-ddp --local-rank
        --local_rank --lazy-mpu-init --use-cpu-initialization
        --empty-unused-memory-level --eval-iters --eval-interval --skip-train
        --aml-data-download-path --data-path --split --train-data-path --valid-data-path
        --test-data-path --data-cache-path --vocab-extra-ids --decoder-seq-length
        --retriever-seq-length --sample-rate --mask-prob --short-seq-prob --mmap-warmup
        --num-workers --tokenizer-model --trust-remote-code --data-impl
        --reset-position-ids --reset-attention-mask --eod-mask-loss
        --train-data-exact-num-epochs --return-data-index
        --data-efficiency-curriculum-learning --train-idx-path --train-desc-path
        --train-doc-idx-path --train-sample-idx-path --train-shuffle-idx-path
        --repeated-dataloader --adlr-autoresume --adlr-autoresume-interval
        --profile-backward --profile --profile_steps --profile-ranks
        --checkpoint-io-buffer-size --checkpoint-data-parallel
        --aio-intra-op-parallelism --checkpoint-writer-decoupled
    )",
};

const OptionList deepspeed_json_options{
    .version = "0.18 (development)",
    .source =
        "deepspeedai/DeepSpeed: deepspeed/runtime/constants.py at "
        "088be892c7499b4f4925d6a31da1e399a19aec20; deepspeed/runtime/zero/config.py at "
        "1b88ac366fc922254d56abda5cf6b1f266556d19",
    .plan = R"(
        train_batch_size train_micro_batch_size_per_gpu gradient_accumulation_steps
        zero_optimization zero_optimization.stage zero_optimization.overlap_comm
        zero_optimization.mics_shard_size zero_optimization.offload_optimizer
        zero_optimization.offload_optimizer.device
        zero_optimization.offload_optimizer.pin_memory bf16 bf16.enabled fp16 fp16.enabled
        data_types data_types.grad_accum_dtype activation_checkpointing
        activation_checkpointing.partition_activations
        activation_checkpointing.cpu_checkpointing
        activation_checkpointing.number_checkpoints sequence_parallel_size
        tensor_parallel tensor_parallel.autotp_size
    )",
    .weight = R"(
        zero_optimization.contiguous_gradients zero_optimization.reduce_scatter
        zero_optimization.reduce_bucket_size zero_optimization.allgather_partitions
        zero_optimization.allgather_bucket_size
        zero_optimization.use_multi_rank_bucket_allreduce zero_optimization.offload_param
        zero_optimization.offload_param.device zero_optimization.offload_param.nvme_path
        zero_optimization.offload_param.pin_memory
        zero_optimization.offload_param.buffer_count
        zero_optimization.offload_param.buffer_size zero_optimization.offload_param.max_in_cpu
        zero_optimization.offload_optimizer.ratio
        zero_optimization.offload_optimizer.nvme_path
        zero_optimization.offload_optimizer.buffer_count
        zero_optimization.offload_optimizer.fast_init zero_optimization.zenflow
        zero_optimization.sub_group_size zero_optimization.cpu_offload
        zero_optimization.stage3_prefetch_bucket_size
        zero_optimization.stage3_param_persistence_threshold
        zero_optimization.stage3_model_persistence_threshold
        zero_optimization.stage3_max_live_parameters
        zero_optimization.stage3_max_reuse_distance
        zero_optimization.stage3_module_granularity_threshold
        zero_optimization.stage3_use_all_reduce_for_fetch_params
        zero_optimization.stage3_allgather_sequential zero_optimization.round_robin_gradients
        zero_optimization.zero_hpz_partition_size zero_optimization.zero_quantized_weights
        zero_optimization.zero_quantized_nontrainable_weights
        zero_optimization.zero_quantized_gradients
        zero_optimization.mics_hierarchical_params_gather
        zero_optimization.memory_efficient_linear communication_data_type
        activation_checkpointing.contiguous_memory_optimization
        activation_checkpointing.synchronize_checkpoint_boundary amp compression_training
        fp16.auto_cast fp16.fp16_master_weights_and_grads bf16.immediate_grad_update
        bf16.bf16_master_weights_and_grads graph_harvesting sparse_attention compile
    )",
    .neither = R"(
        zero_optimization.load_from_fp32_weights zero_optimization.elastic_checkpoint
        zero_optimization.stage3_gather_16bit_weights_on_model_save
        zero_optimization.stage3_gather_fp16_weights_on_model_save
        zero_optimization.ignore_unused_parameters zero_optimization.legacy_stage1
        zero_optimization.pipeline_loading_checkpoint
        zero_optimization.override_module_apply zero_optimization.log_trace_cache_warnings
        zero_optimization.enable_sanity_checks optimizer scheduler fp16.loss_scale
        fp16.initial_scale_power fp16.loss_scale_window fp16.hysteresis
        fp16.consecutive_hysteresis fp16.min_loss_scale fp16.fused_mode gradient_clipping
        prescale_gradients gradient_predivide_factor sparse_gradients disable_allgather
        dump_state vocabulary_size wall_clock_breakdown memory_breakdown eigenvalue
        progressive_layer_drop checkpoint dataloader_drop_last steps_per_print
        zero_allow_untested_optimizer zero_force_ds_cpu_optimizer
        seq_parallel_comm_data_type use_data_before_expert_parallelism
        activation_checkpointing.profile flops_profiler tensorboard wandb csv_monitor
        comms_logger monitor_config data_efficiency curriculum_learning elasticity
        autotuning aio nebula
    )",
};

}  // namespace weir::plan
