import { Module } from '@nestjs/common';
import { FoundationModule } from 'nestjs-foundation';
import { Newsletter } from './newsletter.js';

@Module({
  imports: [FoundationModule.forRoot({ cluster: true })],
  providers: [Newsletter],
})
export class AppModule {}
