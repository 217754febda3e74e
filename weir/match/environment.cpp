// The switches by which the vendors' libraries are told whether to emulate FP64.
#include <algorithm>

#include "weir/catalog/vendor.hpp"
#include "weir/match/match.hpp"

namespace weir::match {
namespace {

// Of cuBLAS from CUDA 13.0 update 2 on, and of hipBLASLt as its pull request 12383 names them.
struct Library {
    std::string_view stack;
    std::string_view emulate;
    std::string_view strategy;
};
constexpr Library libraries[] = {
    {"cuda", "CUBLAS_EMULATE_DOUBLE_PRECISION", "CUBLAS_EMULATION_STRATEGY"},
    {"rocm", "HIPBLASLT_EMULATE_DOUBLE_PRECISION", "HIPBLASLT_EMULATION_STRATEGY"},
};

const Library* library_of(const catalog::ChipRecord& chip) {
    std::vector<std::string> stacks = chip.stacks;
    const catalog::Family* family = catalog::family_of(chip.name);
    if (stacks.empty() && family != nullptr) stacks.emplace_back(family->stack);
    for (const Library& library : libraries) {
        if (std::find(stacks.begin(), stacks.end(), library.stack) != stacks.end()) return &library;
    }
    return nullptr;
}

}  // namespace

std::map<std::string, std::string> environment_of(const ChipOffer& offer,
                                                  const catalog::ChipRecord& chip) {
    std::map<std::string, std::string> env;
    const Library* library = library_of(chip);
    if (library == nullptr) return env;
    for (const PhaseOffer& phase : offer.phases) {
        if (phase.asked != catalog::Format::fp64 || phase.way == catalog::Way::host) continue;
        if (phase.way != catalog::Way::emulated) {
            env.emplace(library->emulate, "0");
            continue;
        }
        env[std::string(library->emulate)] = "1";
        // Eager loses by half on chips with good FP64.
        env[std::string(library->strategy)] = "performant";
        constexpr std::string_view residues = "oz2-int8-";
        if (phase.method.rfind(residues, 0) != 0) continue;
        env["GEMMUL8_NUM_MOD_D"] = phase.method.substr(residues.size());
        // Its fast mode loses digits on rows that are not scaled to one.
        env["GEMMUL8_FASTMODE_D"] = "0";
    }
    return env;
}

}  // namespace weir::match
