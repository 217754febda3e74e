#include "weir/catalog/vendor.hpp"

#include <array>

namespace weir::catalog {
namespace {

// Sources: CUDA C++ Programming Guide, "CUDA Environment Variables" · ROCm, "GPU isolation
// techniques" (ROCR_VISIBLE_DEVICES works for every ROCm program, HIP_VISIBLE_DEVICES for HIP;
// Hygon's DTK reads the latter) · CANN, "ASCEND_RT_VISIBLE_DEVICES" (ascending, no spaces) ·
// Cambricon CNRT (MLU_VISIBLE_DEVICES) · Moore Threads MUSA (MUSA_VISIBLE_DEVICES) · Kunlunxin XRE
// (XPU_VISIBLE_DEVICES) · Enflame TopsRider (TOPS_VISIBLE_DEVICES) · Habana
// (HABANA_VISIBLE_MODULES) · MetaX MACA and Iluvatar CoreX take CUDA's variable, their runtimes
// being source-compatible.
// clang-format off
constexpr std::array table{
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "v100"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "p100"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "t4"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "a10"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "a16"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "a2"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "a30"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "a40"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "a800"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "l2"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "l4"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "h100"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "h20"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "h800"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "gh200"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "b100"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "b200"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "b300"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "gb200"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "gb300"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "rtx-"},
    Family{"NVIDIA", "cuda", "CUDA_VISIBLE_DEVICES", "nvidia-"},
    Family{"AMD", "rocm", "ROCR_VISIBLE_DEVICES", "mi"},
    Family{"AMD", "rocm", "ROCR_VISIBLE_DEVICES", "radeon-"},
    Family{"AMD", "rocm", "ROCR_VISIBLE_DEVICES", "amd-"},
    Family{"Huawei", "cann", "ASCEND_RT_VISIBLE_DEVICES", "ascend-"},
    Family{"Hygon", "dtk", "HIP_VISIBLE_DEVICES", "hygon-"},
    Family{"Hygon", "dtk", "HIP_VISIBLE_DEVICES", "k100"},
    Family{"Hygon", "dtk", "HIP_VISIBLE_DEVICES", "z100"},
    Family{"Hygon", "dtk", "HIP_VISIBLE_DEVICES", "bw1000"},
    Family{"Hygon", "dtk", "HIP_VISIBLE_DEVICES", "bw200"},
    Family{"Cambricon", "neuware", "MLU_VISIBLE_DEVICES", "mlu"},
    Family{"Moore Threads", "musa", "MUSA_VISIBLE_DEVICES", "mtt-"},
    Family{"Kunlunxin", "xre", "XPU_VISIBLE_DEVICES", "p800"},
    Family{"Kunlunxin", "xre", "XPU_VISIBLE_DEVICES", "kunlun-"},
    Family{"Enflame", "tops", "TOPS_VISIBLE_DEVICES", "enflame-"},
    Family{"Intel", "synapse", "HABANA_VISIBLE_MODULES", "gaudi"},
    Family{"MetaX", "maca", "CUDA_VISIBLE_DEVICES", "metax-"},
    Family{"Iluvatar", "corex", "CUDA_VISIBLE_DEVICES", "bi-v"},
};
// clang-format on

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

}  // namespace

std::span<const Family> families() {
    return table;
}

const Family* family_of(std::string_view chip) {
    const Family* best = nullptr;
    for (const Family& family : table) {
        if (chip.substr(0, family.begins.size()) != family.begins) continue;
        // "mi300x" is one of AMD's, "milan" is not.
        const std::string_view rest = chip.substr(family.begins.size());
        if (is_letter(family.begins.back()) && !rest.empty() && is_letter(rest.front())) continue;
        if (best == nullptr || family.begins.size() > best->begins.size()) best = &family;
    }
    return best;
}

}  // namespace weir::catalog
