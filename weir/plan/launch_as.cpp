// as_launched(): what frameworks always do, and what has no meaning.
#include <algorithm>

#include "weir/plan/launch.hpp"
#include "weir/plan/stack.hpp"

namespace weir::plan {
namespace {

// Whatever the framework.
void without_meaning(Strategy& s, const catalog::Model& model) {
    const bool moe = model.is_moe();
    const bool data = s.dp > 1 || s.cp > 1;
    if (s.etp == s.tp) s.etp = 0;
    if (!moe) s.etp = 0;
    if (s.tp <= 1) {
        s.sequence_parallel = false;
        s.overlap.tensor = false;
        s.etp = 0;
    }
    if (s.ep <= 1) s.overlap.experts = s.deepep = false;
    if (s.cp <= 1) s.ulysses = false;
    if (s.pp <= 1) {
        s.overlap.pipeline = false;
        s.schedule = Schedule::one_f_one_b;
    }
    if (!model.latent) s.parts.latent_up = false;
    if (s.recompute != Recompute::selective) s.parts = {};
    if (s.recompute != Recompute::full) s.recompute_layers = 0;
    if (std::uint64_t{s.recompute_layers} * s.pp >= model.layers) s.recompute_layers = 0;
    if (s.zero == 0) {
        s.zero_group = 0;
        s.overlap.param_gather = false;
    }
    if (s.zero_group == s.dp) s.zero_group = 0;
    if (!data) s.overlap.grad_reduce = s.overlap.param_gather = false;
    if (s.precision == Precision::fp32) s.fp32_gradients = true;
    if (s.zero == 3 && data) s.overlap.param_gather = true;
}

}  // namespace

Strategy as_launched(const Strategy& strategy, const TrainingJob& job, Framework framework) {
    Strategy s = strategy;
    s.framework = framework;
    without_meaning(s, job.model);
    s.deepep = s.deepep && stack_of(framework).deepep;
    const bool data = s.dp > 1 || s.cp > 1;
    switch (framework) {
        case Framework::megatron_lm:
            // Weights come in beside the backward pass only where gradients leave beside it.
            if (s.zero == 3 && data) s.overlap.grad_reduce = true;
            break;
        case Framework::mindspeed:
            if (s.schedule == Schedule::dualpipe) s.overlap.experts = s.ep > 1;
            break;
        case Framework::deepspeed:
            // Stage 3 has its communication beside computation unless it is told not to.
            if (s.zero == 3 && data) s.overlap.grad_reduce = true;
            break;
        case Framework::torchtitan:
            s.sequence_parallel = s.tp > 1;
            s.flash_attention = true;
            s.overlap.pipeline = s.pp > 1 && s.vpp > 1;
            if (!data) s.zero = s.zero_group = 0;
            s.overlap.grad_reduce = data;
            s.overlap.param_gather = data && s.zero >= 2;
            if (s.schedule == Schedule::dualpipe) s.overlap.experts = s.ep > 1;
            break;
        case Framework::composer:
        case Framework::jax:
            break;
    }
    return s;
}

}  // namespace weir::plan
