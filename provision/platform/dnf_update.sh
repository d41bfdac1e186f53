takeback
try makecache --refresh || die "dnf makecache failed: $cause"
