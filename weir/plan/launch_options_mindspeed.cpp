// The options that MindSpeed-LLM adds to Megatron-LM's, with the older names that its scripts have.
#include "weir/plan/launch_options.hpp"

namespace weir::plan {

const OptionList mindspeed_options{
    .version = "2.3 (development)",
    .source =
        "Ascend/MindSpeed-LLM: mindspeed_llm/training/arguments.py at "
        "501538c609cbb916720154e72ab57c6cbae0e6aa (current names) and "
        "015ce048f5e153459447556f979ccf64a9ca8e82 (older names); features_manager/ at "
        "0f94b57ce7cd5e78d4d85dab5d1789eda74bc6dc; Ascend/MindSpeed: "
        "mindspeed/features_manager/ at 2c8c7d5632655c6d9382d80bdaf2536ea4916caa",
    .plan = R"(
        --context-parallel-algo --ulysses-degree-in-cp --use-ascend-mc2 --use-mc2
        --use-flash-attn --use-fused-rmsnorm --use-fused-swiglu --use-fused-rotary-pos-emb
        --moe-permutation-async-comm --moe-alltoall-overlap-comm --moe-allgather-overlap-comm
        --moe-fb-overlap --schedules-method --moe-tp-extend-ep --first-k-dense-replace
        --moe-intermediate-size --n-shared-experts --multi-head-latent-attention
        --qk-rope-head-dim --qk-nope-head-dim --noop-layers --num-layer-list
        --recompute-activation-function --recompute-norm --recompute-mla-up-proj
        --mla-up-proj-tp-overlap --mla-mm-split --enable-recompute-layers-per-pp-rank
        --swap-optimizer --sliding-window --interleave-sliding-window --geglu
        --use-mcore-models --post-norm --n-group --topk-group
    )",
    .weight = R"(
        --use-fused-mlp --use-fused-ring-attention-update --use-cp-send-recv-overlap
        --cp-window-size --megatron-cp-in-bnsd --reuse-fp32-param --recompute-in-advance
        --recompute-activation-function-num-layers --recompute-norm-num-layers
        --o2-optimizer --o2-gradient --swap-attention --swap-modules --swap-optimizer-times
        --swap-optimizer-sizes --moe-zero-memory --moe-zero-memory-num-layers
        --moe-unperm2-mem-optim --moe-unperm2-mem-optim-swap --dualpipev-dw-detach
        --moe-zerc --use-fused-moe-token-permute-and-unpermute
        --gemm-gradient-accumulation-fusion --mla-fa-without-pad --mla-zero-memory
        --mla-swap-core-attn-out --mla-fa-divide-qk --padded-base-length
        --recompute-mtp-norm --recompute-mtp-layer --mtp-mem-efficient-logits
        --use-nd-matmul --nd1-dim1-size --nd2-dim1-size --tp-2d --tp-x --tp-y
        --enable-overlap-ag-with-matmul --enable-overlap-matmul-with-rs
        --enable-backward-overlap-ag-with-matmul --use-ascend-coc --output-layer-slice-num
        --variable-seq-lengths --cla-share-factor --share-kvstates
        --enable-token-rearrange-opt --expert-interval --attention-mask-type
        --cp-attention-mask-type --attention-mask-on-cpu
    )",
    .neither = R"(
        --kv-head-repeat-before-uly-alltoall --adaptive-cp-without-coarse
        --adaptive-cp-dynamic-attn-mask --adaptive-cp-only-reschedule
        --adaptive-cp-manually-set-mask-list --ai-framework --tokenizer-name-or-path
        --tokenizer-not-use-fast --tokenizer-kwargs --tokenizer-padding-side
        --is-instruction-dataset --full-shuffle-instruction-dataset
        --input-layernorm-in-fp32 --no-shuffle --neat-pack --padded-samples
        --enable-thinking --embed-layernorm --use-glm-rope --add-dense-bias
        --add-output-layer-bias --skip-bias-add --add-rmsnorm-offset --input-embeds-norm
        --gelu-tanh --output-logit-softcapping --attn-logit-softcapping
        --query-pre-attn-scalar --stage --cut-max-seqlen --fc-type
        --routed-scaling-factor --norm-topk-prob --seq-aux
        --moe-device-level-aux-loss-coeff --moe-comm-aux-loss-coeff
        --router-gating-in-fp32 --moe-revert-type-after-topk --fix-router
        --rope-scaling-type --rope-scaling-beta-fast --rope-scaling-beta-slow --beta-fast
        --beta-slow --rope-scaling-mscale --rope-scaling-mscale-all-dim
        --rope-scaling-original-max-position-embeddings --moe-train-capacity-factor
        --noisy-gate-policy --embedding-multiplier-scale --input-jitter
        --output-multiplier-scale --shared-expert-gate
        --shared-expert-gate-output-dimension --pre-tockens --next-tockens --sparse-mode
        --shape-order --use-deter-comp --jit-compile --prompt-type --prompt-type-path
        --pad-to-multiple-of --scale-emb --dim-model-base --no-cut-token --scale-depth
        --load-checkpoint-loosely --no-post-layer-norm --return-document-ids
        --no-shared-storage --dataset-additional-keys --hccl-group-buffer --handler-name
        --enable-hf2mg-convert --model-type-hf --profile-export-type --profile-level
        --profile-data-simplification --profile-with-stack --profile-with-memory
        --profile-record-shapes --profile-with-cpu --profile-save-path
        --alibi-fusion-attn-type --alibi-diagonal-opt --square-alibi-mask --fill-neg-inf
        --qat-scope --hif8-input-margin --hif8-weight-margin --hif8-grad-margin
        --hif8-amax-collect-interval --hif8-scale-update-interval --hif8-amax-history-len
        --no-hif8-step-recovery --optimization-level
    )",
};

}  // namespace weir::plan
