# What Sidekiq's worker requires.
require "sidekiq"

class Noop
  include Sidekiq::Worker

  def perform; end
end
