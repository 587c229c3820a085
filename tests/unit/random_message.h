// Random protobuf messages, the same for the same seed.
#pragma once

#include <google/protobuf/message.h>

#include <random>

#include "xundian/facts/v1/fact.pb.h"

namespace xundian {

using Random = std::mt19937_64;

// Fills about half of the fields, with numbers of every length and texts of any bytes that are UTF-8.
void fill(google::protobuf::Message& message, Random& random, int depth = 0);

// A fact of a random kind that append_frame takes: it states an aspect at least.
facts::v1::Fact random_fact(Random& random);

}  // namespace xundian
