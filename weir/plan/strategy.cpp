#include "weir/plan/strategy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "weir/base/units.hpp"

namespace weir::plan {
namespace {

constexpr std::array<std::string_view, 5> precision_names{"fp32", "fp16", "bf16", "fp8", "mxfp8"};
constexpr std::array<std::string_view, 3> recompute_names{"none", "selective", "full"};
constexpr std::array<std::string_view, 6> framework_names{
    "megatron-lm", "deepspeed", "mindspeed", "torchtitan", "composer", "jax"};
constexpr std::array<std::string_view, 3> schedule_names{"1f1b", "zero-bubble", "dualpipe"};

tl::unexpected<Error> refuse(std::string_view field, std::uint64_t value, std::string_view valid) {
    return fail(Code::invalid, fmt::format("{} {}: {}", field, value, valid));
}

}  // namespace

std::string_view name_of(Precision precision) {
    return precision_names[static_cast<std::size_t>(precision)];
}
std::string_view name_of(Recompute recompute) {
    return recompute_names[static_cast<std::size_t>(recompute)];
}
std::string_view name_of(Framework framework) {
    return framework_names[static_cast<std::size_t>(framework)];
}
std::string_view name_of(Schedule schedule) {
    return schedule_names[static_cast<std::size_t>(schedule)];
}

Result<void> check(const Strategy& s, const TrainingJob& job, std::uint64_t chips) {
    struct Degree {
        std::string_view name;
        std::uint32_t value;
    };
    for (const Degree& degree : {Degree{"tp", s.tp},
                                 Degree{"pp", s.pp},
                                 Degree{"dp", s.dp},
                                 Degree{"cp", s.cp},
                                 Degree{"ep", s.ep},
                                 Degree{"vpp", s.vpp},
                                 Degree{"micro_batch", s.micro_batch}}) {
        if (degree.value == 0) return refuse(degree.name, 0, "must be at least 1");
    }
    const catalog::Model& model = job.model;
    // Degrees as they are read may make more than 64 bits hold.
    const double made = static_cast<double>(s.tp) * s.pp * s.dp * s.cp;
    if (made != static_cast<double>(chips)) {
        return fail(
            Code::invalid,
            fmt::format("tp {} x pp {} x dp {} x cp {} makes {:.0f} chips, but there are {}",
                        s.tp,
                        s.pp,
                        s.dp,
                        s.cp,
                        made,
                        chips));
    }
    if (model.heads % s.tp != 0) {
        return refuse("tp",
                      s.tp,
                      fmt::format("must divide the {} attention heads of the model", model.heads));
    }
    if (s.pp > 1 && std::uint64_t{s.pp} * s.vpp > model.layers + 2) {
        return refuse("pp",
                      s.pp,
                      fmt::format("with vpp {} asks for {} stages, but the model has {} layers",
                                  s.vpp,
                                  std::uint64_t{s.pp} * s.vpp,
                                  model.layers));
    }
    if (s.vpp > 1 && s.pp == 1) return refuse("vpp", s.vpp, "needs pp of at least 2");
    if (job.global_batch % (std::uint64_t{s.micro_batch} * s.dp) != 0) {
        return refuse(
            "micro_batch",
            s.micro_batch,
            fmt::format("times dp {} must divide the global batch of {}", s.dp, job.global_batch));
    }
    if (job.sequence % s.cp != 0) {
        return refuse("cp", s.cp, fmt::format("must divide the sequence of {}", job.sequence));
    }
    if (s.etp > 0 && s.tp % s.etp != 0) {
        return refuse("etp", s.etp, fmt::format("must divide tp {}", s.tp));
    }
    if (s.offload_layers > 0 && s.offload_layers >= (model.layers + s.pp - 1) / s.pp + 1) {
        return refuse("offload_layers",
                      s.offload_layers,
                      fmt::format("a stage has only {} layers", (model.layers + s.pp - 1) / s.pp));
    }
    if (s.ep > 1) {
        if (!model.is_moe()) return refuse("ep", s.ep, "needs a model with experts");
        if (model.experts->count % s.ep != 0) {
            return refuse(
                "ep", s.ep, fmt::format("must divide the {} experts", model.experts->count));
        }
        const std::uint64_t room = std::uint64_t{s.dp} * s.cp * s.tp;
        const std::uint64_t taken = std::uint64_t{s.ep} * (s.etp == 0 ? s.tp : s.etp);
        if (taken > room || room % taken != 0) {
            return refuse("ep",
                          s.ep,
                          fmt::format("times the tensor parallelism of experts ({}) must divide "
                                      "dp x cp x tp = {}",
                                      s.etp == 0 ? s.tp : s.etp,
                                      room));
        }
    }
    if (s.zero > 3) return refuse("zero", s.zero, "must be 0, 1, 2 or 3");
    if (s.sequence_parallel && s.tp > 1 && (job.sequence / s.cp) % s.tp != 0) {
        return refuse("tp", s.tp, "with sequence parallelism must divide the sequence of a chip");
    }
    return {};
}

std::string text_of(const Strategy& s) {
    std::string text;
    const auto add = [&](std::string_view word) {
        if (!text.empty()) text += ", ";
        text += word;
    };
    const auto degree = [&](std::string_view name, std::uint32_t value) {
        if (value > 1) add(fmt::format("{} {}", name, value));
    };
    degree("tp", s.tp);
    degree("cp", s.cp);
    degree("pp", s.pp);
    degree("vpp", s.vpp);
    degree("dp", s.dp);
    degree("ep", s.ep);
    add(fmt::format("micro-batch {}", s.micro_batch));
    if (s.zero > 0) add(fmt::format("zero {}", s.zero));
    if (s.recompute == Recompute::full && s.recompute_layers > 0)
        add(fmt::format("recompute of {}", format_count(s.recompute_layers, "layer")));
    else if (s.recompute != Recompute::none)
        add(fmt::format("{} recompute", name_of(s.recompute)));
    if (s.offload_layers > 0)
        add(fmt::format("offload of {}", format_count(s.offload_layers, "layer")));
    if (s.offload_optimizer) add("optimizer on the host");
    if (s.schedule != Schedule::one_f_one_b) add(name_of(s.schedule));
    return text;
}

}  // namespace weir::plan
