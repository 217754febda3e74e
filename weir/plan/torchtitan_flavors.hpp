// The shapes that torchtitan has by name: a launch of it names a model and a flavor, no widths.
//
// Threads: pure functions.
#pragma once

#include <span>
#include <string_view>

#include "weir/catalog/model.hpp"

namespace weir::plan {

struct TitanFlavor {
    std::string_view model;   // "llama3"
    std::string_view flavor;  // "8B"
    std::uint32_t layers;
    std::uint32_t hidden;
    std::uint32_t heads;
    std::uint32_t kv_heads;
    std::uint32_t head_dim;
    std::uint32_t ffn;  // of a plain feed-forward; 0 = every layer has experts
    std::uint32_t vocab;
    bool tied;
    catalog::Experts experts;  // count 0 = none
    std::uint32_t q_lora;      // of latent attention of 512 + 64 + 128 + 128
    bool latent;
};

std::span<const TitanFlavor> titan_flavors();
const TitanFlavor* find_titan_flavor(std::string_view model, std::string_view flavor);
// The flavor of this shape; nullptr = there is none.
const TitanFlavor* titan_flavor_of(const catalog::Model& model);
catalog::Model model_of(const TitanFlavor& flavor);

}  // namespace weir::plan
