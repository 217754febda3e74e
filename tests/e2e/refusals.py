"""What frameworks refuse before they train, as their sources have it, and the sizes that they read.

Each function gives one sentence for each condition that a launch breaks. The conditions are those
of Megatron-LM's validate_args() and TransformerConfig, of the features of MindSpeed and
MindSpeed-LLM, of Megatron-DeepSpeed and DeepSpeed's settings and engine, and of torchtitan's ParallelDims,
at the commits that launch/FRAMEWORK.txt names; those that no launch of weir can meet (retrieval,
CUDA graphs, inference) are left out.
"""
import re


def broken(conditions):
    return [sentence for holds, sentence in conditions if not holds]


def stages_of_layout(layout):
    """E, t, m and L of each stage of --pipeline-model-parallel-layout."""
    text = layout.replace(",", "")
    for pattern in (r"\(([^)]+)\)\*(\d+)", r"(.)\*(\d+)"):
        text = re.sub(pattern, lambda found: found.group(1) * int(found.group(2)), text)
    return text.split("|")


def layout_refusals(words):
    stages = stages_of_layout(words.pipeline_model_parallel_layout)
    layers = "".join(stages)
    mtp = words.mtp_num_layers or 0
    return broken([
        (set(layers) <= set("EtmL"), f"layout {layers}: only E, t, m and L"),
        (len(stages) % words.pipeline_model_parallel_size == 0, "layout: its stages divide by pp"),
        (layers[:1] == "E" and layers[-1:] == "L", "layout: from the embedding to the loss"),
        (layers.count("E") == layers.count("L") == 1, "layout: one embedding and one loss"),
        (layers.count("t") == words.num_layers, "layout: as many layers as there are"),
        (layers.count("m") == mtp, "layout: as many modules that predict further tokens"),
        ("m" not in "".join(stages[:-1]) or mtp == 0, "layout: these modules are on the last stage"),
        (words.num_layers_per_virtual_pipeline_stage is None, "layout: goes alone")])


def vpp_of(words):
    if words.pipeline_model_parallel_layout:
        stages = stages_of_layout(words.pipeline_model_parallel_layout)
        return len(stages) // words.pipeline_model_parallel_size
    if words.num_layers_per_virtual_pipeline_stage:
        return (words.num_layers // words.pipeline_model_parallel_size //
                words.num_layers_per_virtual_pipeline_stage)
    return 1


def sizes_of_megatron(words, world):
    inner = (words.tensor_model_parallel_size * words.pipeline_model_parallel_size *
             words.context_parallel_size)
    return {"tp": words.tensor_model_parallel_size, "pp": words.pipeline_model_parallel_size,
            "cp": words.context_parallel_size, "dp": world // inner, "vpp": vpp_of(words),
            "ep": words.expert_model_parallel_size or 1, "micro_batch": words.micro_batch_size,
            "seq": words.seq_length, "global_batch": words.global_batch_size}


def common_refusals(words, started):
    """What Megatron-LM's validate_args() asks, and MindSpeed-LLM through it."""
    tp, pp, cp = (words.tensor_model_parallel_size, words.pipeline_model_parallel_size,
                  words.context_parallel_size)
    dp = started.world // (tp * pp * cp)
    vpp = vpp_of(words)
    groups = words.num_query_groups if words.group_query_attention else words.num_attention_heads
    etp = words.expert_tensor_parallel_size or tp
    learned = words.position_embedding_type == "learned_absolute"
    conditions = [
        (started.world % (tp * pp * cp) == 0, "the chips divide by tp x pp x cp"),
        (words.global_batch_size % (words.micro_batch_size * max(dp, 1)) == 0,
         "the batch divides by micro-batch x dp"),
        (words.num_attention_heads % tp == 0, "heads divide by tp"),
        (groups % tp == 0 or tp % groups == 0, "groups of keys divide by tp, or tp by them"),
        (cp == 1 or words.seq_length % (2 * cp) == 0, "the sequence divides by 2 cp"),
        (words.max_position_embeddings >= words.seq_length, "positions reach to the end of a sequence"),
        (not (words.fp16 and words.bf16), "one of fp16 and bf16"),
        (not words.overlap_param_gather or words.use_distributed_optimizer or words.use_megatron_fsdp,
         "overlap-param-gather needs the distributed optimizer or FSDP"),
        (not words.overlap_param_gather or words.overlap_grad_reduce,
         "overlap-param-gather needs overlap-grad-reduce"),
        (not (words.multi_latent_attention and words.group_query_attention),
         "latent attention has no groups of keys"),
        (not words.mtp_num_layers or not learned, "further tokens need rotary positions"),
        (words.recompute_granularity != "selective" or
         (words.recompute_method is None and words.recompute_num_layers is None),
         "selective recompute has no method"),
        (words.recompute_granularity != "full" or
         (words.recompute_method is not None and words.recompute_num_layers is not None),
         "full recompute has a method and a number of layers"),
        (vpp == 1 or (pp > 1 if not words.no_overlap_p2p_communication else pp > 2),
         "virtual stages need pp > 1, without overlap pp > 2"),
        (vpp == 1 or words.global_batch_size // (words.micro_batch_size * max(dp, 1)) % pp == 0,
         "with virtual stages the micro-batches divide by pp")]
    if words.num_experts:
        ep = words.expert_model_parallel_size or 1
        conditions += [
            (words.num_experts % ep == 0, "the experts divide by ep"),
            (started.world % (etp * ep * pp) == 0, "the chips divide by the groups of experts"),
            (not words.moe_grouped_gemm or words.bf16, "grouped products of experts are in bf16"),
            (tp == 1 or words.sequence_parallel, "experts with tp need sequence parallelism"),
            (words.disable_bias_linear or etp == 1, "experts with biases are not split"),
            (words.moe_router_topk != 1 or words.moe_router_pre_softmax,
             "a single expert is weighed before it is chosen"),
            ((words.moe_router_num_groups is None) == (words.moe_router_group_topk is None),
             "groups of experts go with how many of them are taken"),
            (not words.moe_router_num_groups or
             words.num_experts % words.moe_router_num_groups == 0 and
             words.moe_router_topk // words.moe_router_group_topk > 0,
             "groups divide the experts, and each group taken gives one")]
    return broken(conditions)


def of_megatron(words, started):
    tp, pp, cp = (words.tensor_model_parallel_size, words.pipeline_model_parallel_size,
                  words.context_parallel_size)
    fsdp = words.use_megatron_fsdp
    connections = started.environment.get("CUDA_DEVICE_MAX_CONNECTIONS")
    modules = words.recompute_modules or []
    conditions = [
        (not (tp > 1 or cp > 1) or fsdp or words.overlap_moe_expert_parallel_comm or connections == "1",
         "tp and cp need CUDA_DEVICE_MAX_CONNECTIONS=1"),
        (not fsdp or connections != "1", "FSDP needs another CUDA_DEVICE_MAX_CONNECTIONS than 1"),
        (not fsdp or words.ckpt_format == "fsdp_dtensor", "FSDP has checkpoints of its own"),
        (words.ckpt_format != "fsdp_dtensor" or fsdp, "its checkpoints are for FSDP"),
        (not fsdp or pp == 1, "FSDP goes without pp"),
        (not words.tp_comm_overlap or words.sequence_parallel, "tp-comm-overlap needs sequence parallelism"),
        (not words.optimizer_cpu_offload or words.use_precision_aware_optimizer,
         "offload of the optimizer needs the one that is aware of precision"),
        (set(modules) <= {"core_attn", "moe_act", "layernorm", "mla_up_proj", "mlp", "moe",
                          "shared_experts"}, f"recompute of {modules}"),
        ("moe_act" not in modules or words.moe_grouped_gemm, "recompute of moe_act needs grouped products"),
        ("mla_up_proj" not in modules or words.multi_latent_attention,
         "recompute of mla_up_proj needs latent attention"),
        (not words.fp8_format or words.fp8_recipe != "delayed" or
         not {"moe_act", "layernorm"} & set(modules), "delayed scales go without recompute of norms"),
        (not words.cpu_offloading_num_layers or (pp == 1 and words.recompute_granularity is None),
         "offload of layers goes without pp and recompute")]
    if words.moe_token_dispatcher_type == "flex":
        group = (words.expert_model_parallel_size or 1) * (words.expert_tensor_parallel_size or tp)
        conditions += [
            (words.moe_flex_dispatcher_backend is not None, "flex needs a backend"),
            (words.moe_router_dtype == "fp32", "DeepEP has probabilities in FP32"),
            (group in (2, 4, 8, 16, 24, 32, 64, 128, 144, 160), "DeepEP is set up for some sizes")]
    if words.overlap_moe_expert_parallel_comm:
        conditions += [
            (words.expert_model_parallel_size > 1, "overlap of experts needs ep"),
            (pp == 1 or vpp_of(words) > 1, "overlap of experts with pp needs virtual stages"),
            (words.recompute_granularity != "full", "overlap of experts goes without full recompute"),
            (words.moe_token_dispatcher_type in ("alltoall", "flex"), "overlap of experts needs alltoall"),
            ((words.mtp_num_layers or 1) == 1, "overlap of experts has one further token")]
    found = broken(conditions) + common_refusals(words, started)
    if words.pipeline_model_parallel_layout:
        return found + layout_refusals(words)
    stages = pp * vpp_of(words)
    return found + broken([(words.num_layers % stages == 0, "the layers divide by the stages")])


def sizes_of_mindspeed(words, world):
    sizes = sizes_of_megatron(words, world)
    if words.moe_tp_extend_ep:
        sizes["ep"] *= sizes["tp"]
    return sizes


def of_mindspeed(words, started):
    tp, pp, cp = (words.tensor_model_parallel_size, words.pipeline_model_parallel_size,
                  words.context_parallel_size)
    dual = words.schedules_method == "dualpipev"
    noop = [int(layer) for layer in (words.noop_layers or "").split(",") if layer]
    parts = [int(count) for count in (words.num_layer_list or "").split(",") if count]
    micro_batches = words.global_batch_size // words.micro_batch_size // (started.world // (tp * pp * cp))
    heads = words.num_attention_heads % (cp * tp) == 0
    conditions = [
        (all(0 <= layer < words.num_layers for layer in noop), "empty layers are among the layers"),
        (not parts or (len(parts) == pp and pp > 1 and sum(parts) == words.num_layers),
         "the list of layers has one number for each of pp"),
        (not parts or (words.num_layers_per_virtual_pipeline_stage is None and not dual and not noop),
         "the list of layers goes alone"),
        (bool(parts) or words.num_layers % (pp * vpp_of(words)) == 0, "the layers divide by the stages"),
        (cp == 1 or words.context_parallel_algo != "ulysses_cp_algo" or heads, "heads divide by cp x tp"),
        (cp == 1 or words.use_flash_attn, "cp needs flash attention"),
        (not words.use_ascend_mc2 or (not words.num_experts and words.sequence_parallel and tp > 1),
         "mc2 needs sequence parallelism, tp, and no experts"),
        (not words.moe_alltoall_overlap_comm or
         words.moe_token_dispatcher_type in ("alltoall", "alltoall_seq"),
         "overlap of experts needs alltoall"),
        (not words.swap_optimizer or words.use_distributed_optimizer, "a swapped optimizer is distributed")]
    if words.moe_tp_extend_ep:
        conditions += [
            (words.num_experts % (tp * words.expert_model_parallel_size) == 0, "experts divide by tp x ep"),
            (words.moe_permutation_async_comm and words.moe_grouped_gemm,
             "experts over tp need moe-permutation-async-comm and grouped products")]
    if words.moe_fb_overlap:
        conditions += [
            (not words.moe_alltoall_overlap_comm, "fb-overlap goes without overlap of alltoall"),
            (not words.overlap_grad_reduce, "fb-overlap goes without overlap-grad-reduce"),
            (not words.moe_tp_extend_ep, "fb-overlap goes without moe-tp-extend-ep"),
            (words.moe_grouped_gemm, "fb-overlap needs grouped products"),
            (words.moe_token_dispatcher_type == "alltoall", "fb-overlap needs alltoall"),
            (words.expert_tensor_parallel_size == 1 and words.expert_model_parallel_size > 1,
             "fb-overlap needs ep, and experts that are not split"),
            (dual or words.num_layers_per_virtual_pipeline_stage is not None,
             "fb-overlap needs virtual stages or dualpipev")]
    if dual:
        conditions += [
            (words.untie_embeddings_and_output_weights, "dualpipev needs an output of its own"),
            (cp == 1 and vpp_of(words) == 1, "dualpipev goes without cp and virtual stages"),
            (pp > 1 and words.num_layers >= 2 * pp, "dualpipev needs two layers for each of pp"),
            (micro_batches >= 2 * pp - 1, "dualpipev needs 2 pp - 1 micro-batches")]
    return broken(conditions) + common_refusals(words, started)


def sizes_of_deepspeed(words, settings, world):
    inner = (words.tensor_model_parallel_size * words.pipeline_model_parallel_size *
             (words.ds_sequence_parallel_size or 1))
    return {"tp": words.tensor_model_parallel_size, "pp": words.pipeline_model_parallel_size,
            "cp": words.ds_sequence_parallel_size or 1, "dp": world // inner, "vpp": 1,
            "ep": words.moe_expert_parallel_size or 1,
            "micro_batch": settings["train_micro_batch_size_per_gpu"], "seq": words.seq_length,
            "global_batch": settings["train_batch_size"]}


def of_deepspeed(words, settings, started):
    sizes = sizes_of_deepspeed(words, settings, started.world)
    stage = settings["zero_optimization"]["stage"]
    sequence = words.ds_sequence_parallel_size or 1
    heads = words.num_key_value_heads or words.num_attention_heads
    inner = sizes["tp"] * sizes["pp"] * sequence
    summed = settings.get("data_types", {}).get("grad_accum_dtype")
    return broken([
        (started.world % inner == 0, "the chips divide by tp x pp x sequence"),
        ("mics_shard_size" not in settings["zero_optimization"],
         "MiCS needs a model made with zero.MiCS_Init"),
        (stage > 0 or not words.fp16 or summed == "fp16", "without ZeRO FP16 is summed in FP16"),
        (stage > 0 or not words.bf16 or summed == "fp32" or sizes["pp"] > 1,
         "without ZeRO and pipeline BF16 is summed in FP32"),
        (sizes["global_batch"] == sizes["micro_batch"] * settings["gradient_accumulation_steps"] *
         sizes["dp"], "train_batch_size is micro-batch x accumulation x dp"),
        (words.global_batch_size == sizes["global_batch"] and
         words.micro_batch_size == sizes["micro_batch"], "arguments and JSON have the same batches"),
        (words.zero_stage == stage, "arguments and JSON have the same stage of ZeRO"),
        (sizes["pp"] == 1 or stage < 2, "pipelines go with ZeRO 0 and 1"),
        (words.no_pipeline_parallel == (sizes["pp"] == 1), "no-pipeline-parallel is for pp 1"),
        (words.fp16 == settings.get("fp16", {}).get("enabled", False), "arguments and JSON agree on fp16"),
        (words.bf16 == settings.get("bf16", {}).get("enabled", False), "arguments and JSON agree on bf16"),
        (not words.enable_zbh1_pipeline or not words.sequence_parallel,
         "zero bubbles go without sequence parallelism"),
        (not (words.sequence_parallel and sequence > 1), "one kind of sequence parallelism"),
        (not words.sequence_parallel or started.environment.get("CUDA_DEVICE_MAX_CONNECTIONS") == "1",
         "sequence parallelism needs CUDA_DEVICE_MAX_CONNECTIONS=1"),
        (words.num_attention_heads % heads == 0, "heads divide by those of keys"),
        (words.num_attention_heads % (sizes["tp"] * sequence) == 0, "heads divide by tp x sequence"),
        (words.max_position_embeddings >= words.seq_length, "positions reach to the end of a sequence"),
        (not words.num_experts or stage < 3, "experts go without ZeRO 3"),
        (not words.num_experts or words.create_moe_param_group or stage == 0,
         "experts under ZeRO have a group of parameters"),
        ("offload_optimizer" not in settings["zero_optimization"] or stage > 0, "offload needs ZeRO")])


def sizes_of_torchtitan(keys):
    def of(name):
        return keys.get("parallelism." + name, 1)

    piped = of("pipeline_parallel_degree") > 1
    return {"tp": of("tensor_parallel_degree"), "pp": of("pipeline_parallel_degree"),
            "cp": of("context_parallel_degree"), "ep": of("expert_parallel_degree"),
            "dp": of("data_parallel_replicate_degree") * of("data_parallel_shard_degree"),
            "micro_batch": of("pipeline_parallel_microbatch_size") if piped
            else keys["training.local_batch_size"],
            "seq": keys["training.seq_len"], "global_batch": keys["training.global_batch_size"]}


def of_torchtitan(keys, world):
    sizes = sizes_of_torchtitan(keys)
    tp, pp, cp, ep = sizes["tp"], sizes["pp"], sizes["cp"], sizes["ep"]
    shard = keys["parallelism.data_parallel_shard_degree"]
    etp = keys.get("parallelism.expert_tensor_parallel_degree", 1)
    local = keys["training.local_batch_size"]
    inner = cp * (1 if etp == tp else tp)
    return broken([
        (sizes["dp"] * cp * tp * pp == world, "the degrees make up the chips"),
        (ep == 1 or etp in (1, tp), "etp is tp or 1"),
        (ep == 1 or (ep % inner == 0 and shard * inner % ep == 0),
         "experts take all of cp, of tp where they are not split, and divide what shares weights"),
        (keys["training.seq_len"] % (2 * cp * tp) == 0, "the sequence divides by 2 cp tp"),
        (sizes["global_batch"] % (local * sizes["dp"]) == 0, "the batch divides by local batch x dp"),
        (pp == 1 or local % sizes["micro_batch"] == 0, "the local batch divides by the micro-batch"),
        (keys.get("parallelism.pipeline_parallel_schedule") != "DualPipeV" or
         keys["activation_checkpoint.mode"] == "none", "DualPipeV goes without recompute"),
        (not keys.get("parallelism.enable_async_tensor_parallel") or keys.get("compile.enable", False),
         "asynchronous tp needs compile")])
