// The slow, obviously right search: every strategy that in_space() takes is predicted.
#pragma once

#include "weir/plan/search.hpp"

namespace weir::plan {

SearchResult search_every_one(const TrainingModel& model, const SearchOptions& options);

}  // namespace weir::plan
