"""From a leaked copy to a case (安全事件) and its two-hour clock."""
