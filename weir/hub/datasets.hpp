// Datasets: what the book knows of them beside the core, which knows where each of them lies. What
// is being copied, what jobs have made and is not yet in its place, who made what and how long it
// is kept. Names are of datasets and sites, so all of it outlives a change of the fleet.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "weir/base/id.hpp"
#include "weir/base/time.hpp"

namespace weir::hub {

struct Datasets {
    using At = std::pair<std::string, std::string>;  // a dataset, at a site

    struct Copy {
        std::string from;
        Time begins{};  // expected
        Time ends{};
    };
    struct Made {
        JobId by;                 // none: the fleet file had it
        Time keep_until = never;  // then it goes
    };
    struct Output {  // of a job that has succeeded
        JobId job;
        std::string path;  // absolute
        std::string site;
        Duration keep = forever;
    };

    std::map<At, Copy> copying;
    std::map<std::string, Made> made;       // by dataset
    std::map<std::string, Output> outputs;  // by dataset
};

}  // namespace weir::hub
