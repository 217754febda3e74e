// What is usual where nobody says otherwise, and no measured run was fitted: the systems that chips
// are built into, and shares that software reaches.
//
// The figures are data (catalog/usual.yaml), each with its source, or said to be assumed. A fleet
// file, a plan file or an option replaces those of systems.
//
// Threads: constant data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::plan {

// A node of chips, and what leads out of it. Bytes a second are of one chip, one direction.
struct UsualSystem {
    std::string chip{};  // the beginning of the names of its chips; "" = any
    std::uint32_t chips_per_node = 8;
    std::string inside{};           // "nvlink4"
    double inside_bytes_per_s = 0;  // 0 = half of the chip's own link
    std::string between{};
    double between_bytes_per_s = 0;
    std::string source{};
    bool assumed = false;
};
// Of the longest beginning that fits.
const UsualSystem& usual_system(std::string_view chip);

// Shares of a layer, a pass or a bubble; their sources say of what.
struct UsualSoftware {
    double tensor_beside = 1;
    double experts_beside = 1;
    double reduce_beside = 1;
    double gather_beside = 1;
    double small_again = 0;
    double scores_again = 0;
    double feed_forward_again = 0;
    double latent_again = 0;
    double zero_bubble = 1;
    double dualpipe_bubble = 1;
    double reserve_share = 0;
    double reserve_bytes = 0;
};
const UsualSoftware& usual_software();

// One of them, for people.
struct UsualFigure {
    std::string name{};
    double value = 0;
    double UsualSoftware::*member = nullptr;
    std::string source{};
    bool assumed = false;
};
const std::vector<UsualFigure>& usual_figures();

}  // namespace weir::plan
