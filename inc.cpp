#include <attend/language.hpp>
